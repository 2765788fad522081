//! Small logs, and what is known of every byte of them because of how they were written.

use std::ops::Range;
use std::sync::Arc;

use headwater_wal::store::sim::{Sim, SimClock};
use headwater_wal::{Handle, Log, Options, Position, Time};

use super::Hurt;
use crate::rules::{name, small};

/// By the format's specification.
pub(crate) const HEADER: usize = 512;
const GROUP_HEADER: usize = 48;
const FRAME_HEADER: usize = 32;

/// A file of a sample.
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    /// It was put whole.
    pub(crate) whole: bool,
    /// A later segment says that all of it was acknowledged, or, where files grow, its footer, which is written only once
    /// everything before it is durable.
    pub(crate) proven: bool,
    /// From group header to group end, in order.
    pub(crate) groups: Vec<Range<usize>>,
    /// Where its footer begins, if it has one.
    pub(crate) footer: Option<usize>,
}

/// A record, acknowledged in the order of the list.
pub(crate) struct Written {
    pub(crate) handle: Handle,
    pub(crate) text: String,
    pub(crate) file: usize,
    /// Header, payload and padding.
    pub(crate) frame: Range<usize>,
    payload_end: usize,
}

impl Written {
    /// Whether a byte of its header or its payload is another one, or gone.
    pub(crate) fn is_hit(&self, hurt: Hurt) -> bool {
        match hurt {
            Hurt::Cut(len) => len < self.payload_end,
            Hurt::Flip(at, _) => (self.frame.start..self.payload_end).contains(&at),
        }
    }
}

pub(crate) struct Sample {
    pub(crate) grows: bool,
    pub(crate) files: Vec<File>,
    pub(crate) records: Vec<Written>,
}

pub(crate) fn options() -> Options {
    small().segment_bytes(7000).record_bytes_max(1000)
}

impl Sample {
    /// An epoch's first segment, and one that grows, of three groups; its writer was killed.
    pub(crate) fn active() -> Self {
        Sample::write(Sim::growing(1), &[&["one", "two, longer"], &["three"], &["the last one"]], false)
    }

    /// An epoch's first segment, and one that was sealed.
    pub(crate) fn sealed() -> Self {
        Sample::write(Sim::growing(1), &[&["one", "two, longer"], &["three"]], true)
    }

    /// An epoch's first object, and two that hold records.
    pub(crate) fn objects() -> Self {
        Sample::write(Sim::objects(1), &[&["one", "two, longer"], &["three"]], false)
    }

    /// What a caller knows who knows of the last record.
    pub(crate) fn promise(&self) -> Position {
        self.records.last().unwrap().handle.end()
    }

    fn write(sim: Sim, groups: &[&[&str]], seal: bool) -> Self {
        let process = sim.process();
        let grows = process.store().append().is_some();
        let opened = Log::open_with(process.store(), options(), Arc::new(SimClock::new(1))).unwrap();
        let log = opened.start_stepped(Position::START).unwrap();
        let mut written: Vec<Vec<(Handle, &str)>> = Vec::new();
        for group in groups {
            let tickets: Vec<_> =
                group.iter().map(|text| (log.append(Time(5), text.to_string()).unwrap(), *text)).collect();
            written.push(tickets.into_iter().map(|(ticket, text)| (ticket.wait().unwrap(), text)).collect());
        }
        if seal {
            log.seal().unwrap();
        }
        process.kill();
        let mut sample = Sample { grows, files: Vec::new(), records: Vec::new() };
        sample.add_file(&sim, Position::START, true, true);
        for group in &written {
            let base = group[0].0.base();
            if sample.files.last().unwrap().name != name(base) {
                let last = base == written.last().unwrap()[0].0.base();
                sample.add_file(&sim, base, !grows, if grows { seal } else { !last });
            }
            sample.add_group(group);
        }
        let ended = if grows { seal } else { true };
        for (at, file) in sample.files.iter_mut().enumerate() {
            let end = file.groups.last().map_or(HEADER, |group| group.end);
            file.footer = (at == 0 || ended).then_some(end);
            assert!(file.footer.is_none_or(|footer| footer < file.bytes.len()));
        }
        assert_eq!(sim.names().iter().filter(|name| name.ends_with(".wal")).count(), sample.files.len());
        sample
    }

    fn add_file(&mut self, sim: &Sim, base: Position, whole: bool, proven: bool) {
        let name = name(base);
        let bytes = sim.read_raw(&name);
        self.files.push(File { name, bytes, whole, proven, groups: Vec::new(), footer: None });
    }

    fn add_group(&mut self, group: &[(Handle, &str)]) {
        let block = if self.grows { 512 } else { 8 };
        let at = self.files.len() - 1;
        let mut end = 0;
        for (handle, text) in group {
            let start = handle.position().since(handle.base()) as usize;
            let payload_end = start + FRAME_HEADER + text.len();
            end = payload_end.next_multiple_of(8);
            let text = text.to_string();
            self.records.push(Written { handle: *handle, text, file: at, frame: start..end, payload_end });
        }
        let first = group[0].0;
        let start = first.position().since(first.base()) as usize - GROUP_HEADER;
        let range = start..end.next_multiple_of(block);
        let file = &mut self.files[at];
        let before = file.groups.last().map_or(HEADER, |group| group.end);
        assert_eq!(range.start, before, "groups lie one behind the other");
        file.groups.push(range);
    }
}
