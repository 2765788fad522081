//! What only a bucket does: requests that are lost, late, turned away or still under way, and listings that lag behind.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::baton;
use super::device::{Device, Visit};
use super::file::File;
use super::medium::{failed, full, not_there, taken};
use super::names::Names;
use super::plan::{Fault, Op, When};
use super::{Process, Random, Shape};
use crate::error::{Error, Kind, Result};
use crate::store::{Fetch, Name};

/// So many of the last changes of its names a bucket may leave out of a listing, if that is planned.
pub const RECENT_CHANGES: usize = 24;

/// What a bucket has under way, and what it remembers.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    /// The operation up to which requests are turned away.
    throttled_to: u64,
    /// The last changes of names, oldest first.
    changes: VecDeque<Changed>,
    /// Reads that were begun and have not happened.
    reads: Vec<Begun>,
    reads_begun: u64,
}

/// A name came or went.
#[derive(Clone, Debug)]
struct Changed {
    operation: u64,
    name: String,
    file: usize,
    len: u64,
    came: bool,
}

/// A read that left its process and has not happened.
#[derive(Debug)]
struct Begun {
    number: u64,
    /// The operation before which it happens, unless somebody waits for it earlier.
    due: u64,
    name: Name,
    range: Range<u64>,
    fault: Option<Fault>,
    answer: Arc<Mutex<Option<Result<Bytes>>>>,
}

/// A request that left its process and has not arrived.
#[derive(Clone, Debug)]
pub(super) struct Late {
    /// The operation before which it arrives; none if the test says when.
    due: Option<u64>,
    pub(super) name: String,
    what: Request,
}

/// What a request is to change.
#[derive(Clone, Debug)]
pub(super) enum Request {
    /// Puts an object of these bytes, if the name is free.
    Put(Vec<u8>),
    /// Removes the name.
    Remove,
    /// Gives a new file its name, if that is free.
    Link(usize),
    /// Puts these bytes in the place of what has the name.
    Keep(Vec<u8>),
}

impl Bucket {
    /// The same names with another future: nobody waits for a read any more.
    pub(super) fn fork(&self) -> Self {
        Bucket { changes: self.changes.clone(), ..Bucket::default() }
    }

    /// From this operation on, for a while, everything is turned away.
    pub(super) fn throttle(&mut self, operation: u64, random: &mut Random) {
        let reach = 1 << random.below(7);
        self.throttled_to = operation + random.below(reach);
    }

    pub(super) fn is_throttled(&self, operation: u64) -> bool {
        operation <= self.throttled_to
    }

    pub(super) fn calm(&mut self) {
        self.throttled_to = 0;
    }
}

impl Device {
    /// What left its process earlier and comes before this operation: late requests, and reads begun ahead.
    pub(super) fn what_is_due(&mut self) {
        let now = self.operations;
        while let Some(at) = self.late.iter().position(|late| late.due.is_some_and(|due| due <= now)) {
            self.land(at);
        }
        while let Some(at) = self.bucket.reads.iter().position(|read| read.due <= now) {
            self.count("read begun ahead: between");
            self.happen(at);
        }
    }

    /// Queues a request; it arrives by itself unless it is `held`.
    pub(super) fn delay(&mut self, name: &str, what: Request, held: bool) {
        // Mostly soon, sometimes long after.
        let reach = 1 << self.random.below(8);
        let due = (!held).then(|| self.operations + 1 + self.random.below(reach));
        self.late.push(Late { due, name: name.to_owned(), what });
    }

    /// A late request arrives. The condition on a put is looked at now.
    pub(super) fn land(&mut self, at: usize) {
        let Late { name, what, .. } = self.late.remove(at);
        let came = match (&what, self.apply(&name, &what)) {
            (Request::Put(_), true) => "late put: landed",
            (Request::Put(_), false) => "late put: found its name taken",
            (Request::Link(_), true) => "late link: landed",
            (Request::Link(_), false) => "late link: found its name taken",
            (Request::Keep(_), _) => "late keep: landed",
            (Request::Remove, _) => "late remove: landed",
        };
        self.count(came);
        self.tell(format_args!("{came}: {name}"));
    }

    /// Of a request whose sender died while it was on its way: it is lost, or it arrives, now or later.
    pub(super) fn outlive(&mut self, name: &str, what: Request) {
        match self.random.below(3) {
            0 => drop(self.apply(name, &what)),
            1 => self.delay(name, what, false),
            _ => {}
        }
    }

    /// A request arrives: whether it did what it was to do.
    pub(super) fn apply(&mut self, name: &str, what: &Request) -> bool {
        match what {
            Request::Put(bytes) => self.put_object(name, bytes),
            Request::Remove => {
                self.unlink(name);
                true
            }
            Request::Link(file) => self.link_object(name, *file),
            Request::Keep(bytes) => {
                let file = self.add(File::object(bytes));
                self.names.settle(name, Some(file));
                true
            }
        }
    }

    /// Gives a file its name, durably, if that is free.
    fn link_object(&mut self, name: &str, file: usize) -> bool {
        let folder = self.shape == Shape::Leases && self.names.is_folder(name);
        let new = self.names.find(name).is_none() && !folder;
        if new {
            self.names.settle(name, Some(file));
            self.changed(name, file, true);
        }
        new
    }

    /// Whether the object is new and now there.
    pub(super) fn put_object(&mut self, name: &str, bytes: &[u8]) -> bool {
        let file = self.add(File::object(bytes));
        let new = self.link_object(name, file);
        if !new {
            self.files[file] = File::default();
        }
        new
    }

    /// Notes that a name came or went.
    pub(super) fn changed(&mut self, name: &str, file: usize, came: bool) {
        let (operation, len) = (self.operations, self.files[file].len() as u64);
        let changes = &mut self.bucket.changes;
        changes.push_back(Changed { operation, name: name.to_owned(), file, len, came });
        if changes.len() > RECENT_CHANGES {
            changes.pop_front();
        }
    }

    /// The names as a listing shows them that leaves out any of the changes since an operation; and the lengths of
    /// objects that it shows although they are gone.
    pub(super) fn names_without_some_changes(&mut self, since: u64) -> (Names, Vec<(usize, u64)>) {
        let mut names = self.names.clone();
        let mut gone = Vec::new();
        let recent: Vec<_> = self.bucket.changes.iter().rev().cloned().collect();
        for Changed { operation, name, file, len, came } in recent {
            if operation < since || self.random.coin() {
                continue;
            }
            self.count(if came { "listing: left out a new name" } else { "listing: showed a removed name" });
            names.settle(&name, (!came).then_some(file));
            gone.extend((!came).then_some((file, len)));
        }
        (names, gone)
    }

    /// Begins a read, which happens at any moment before it is waited for.
    fn begin_read(&mut self, name: &Name, range: Range<u64>, fault: Option<Fault>) -> Waiting {
        self.bucket.reads_begun += 1;
        let (number, answer) = (self.bucket.reads_begun, Arc::default());
        let reach = 1 << self.random.below(6);
        let due = self.operations + self.random.below(reach);
        let read = Begun { number, due, name: name.clone(), range, fault, answer: Arc::clone(&answer) };
        self.bucket.reads.push(read);
        if due == self.operations {
            self.count("read begun ahead: at once");
            self.happen(self.bucket.reads.len() - 1);
        }
        Waiting { number, answer }
    }

    /// A read that was begun happens.
    fn happen(&mut self, at: usize) {
        let Begun { name, range, fault, answer, .. } = self.bucket.reads.remove(at);
        let file = self.names.find(name.as_str()).ok_or_else(|| not_there(&name));
        *answer.lock() = Some(file.and_then(|file| self.answer_read(file, &name, range, fault)));
    }
}

/// Who waits for a read that was begun.
struct Waiting {
    number: u64,
    answer: Arc<Mutex<Option<Result<Bytes>>>>,
}

/// A read under way; dropped, it is given up.
struct UnderWay(Process, Waiting);

impl UnderWay {
    fn wait(self) -> Result<Bytes> {
        let UnderWay(process, waiting) = &self;
        baton::turn(Op::Read);
        let mut device = process.device.lock();
        device.alive(process.id())?;
        if let Some(at) = device.bucket.reads.iter().position(|read| read.number == waiting.number) {
            device.count("read begun ahead: at last");
            device.happen(at);
        }
        waiting.answer.lock().take().expect("a read happens once")
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let UnderWay(process, waiting) = self;
        let mut device = process.device.lock();
        let before = device.bucket.reads.len();
        device.bucket.reads.retain(|read| read.number != waiting.number);
        if device.bucket.reads.len() < before || waiting.answer.lock().is_some() {
            device.count("read begun ahead: given up");
        }
    }
}

impl Process {
    /// Puts an object. Others may go on before it lands, and between that and its answer.
    pub(super) fn put_object(&self, name: &Name, bytes: &[u8]) -> Result<()> {
        self.request(Op::Put, name, bytes.len(), Request::Put(bytes.to_vec()))
    }

    /// Sends a request that takes room for so many bytes.
    pub(super) fn request(&self, op: Op, name: &Name, len: usize, what: Request) -> Result<()> {
        let text = name.as_str();
        let (mut device, fault) = self.enter_request(op, text, format_args!(" +{len}"), &what)?;
        let unknown = || Err(failed(Kind::Unknown, op, text));
        let answer = match fault {
            Some(Fault::Error | Fault::Throttled) => Err(failed(Kind::Unavailable, op, text)),
            Some(Fault::Full) => Err(full(op, text)),
            Some(Fault::ExistsNothing) => Err(taken(name)),
            Some(Fault::RequestLost) => unknown(),
            Some(Fault::Late | Fault::Held) => {
                device.delay(text, what, fault == Some(Fault::Held));
                unknown()
            }
            Some(Fault::Crash) => {
                device.outlive(text, what);
                unknown()
            }
            _ if !device.has_room(len as u64) => Err(full(op, text)),
            _ => match (fault, device.apply(text, &what)) {
                (Some(Fault::AnswerLost), _) => unknown(),
                (Some(Fault::ExistsOwn), _) | (_, false) => Err(taken(name)),
                (_, true) => Ok(()),
            },
        };
        drop(device);
        self.answered(op, text)?;
        answer
    }

    pub(super) fn remove_object(&self, name: &Name) -> Result<()> {
        let text = name.as_str();
        let (mut device, fault) = self.enter_request(Op::Remove, text, format_args!(""), &Request::Remove)?;
        match fault {
            None | Some(Fault::AnswerLost) => device.unlink(text),
            Some(Fault::Error | Fault::Throttled) => {
                return Err(failed(Kind::Unavailable, Op::Remove, text));
            }
            Some(Fault::Late) => device.delay(text, Request::Remove, false),
            Some(Fault::Held) => device.delay(text, Request::Remove, true),
            Some(Fault::Crash) => device.outlive(text, Request::Remove),
            Some(_) => {}
        }
        if fault.is_some() { Err(failed(Kind::Unknown, Op::Remove, text)) } else { Ok(()) }
    }

    pub(super) fn fetch_object(&self, name: &Name, range: Range<u64>) -> Fetch {
        let entered = self.enter(Op::Read, name.as_str(), format_args!(" {range:?}, ahead"));
        match entered {
            Ok((mut device, fault)) => {
                let waiting = device.begin_read(name, range, fault);
                drop(device);
                let under_way = UnderWay(self.clone(), waiting);
                Fetch::new(move || under_way.wait())
            }
            Err(error) => Fetch::new(move || Err(error)),
        }
    }

    /// Runs `visit` once, when such a put of this process has come to its end and the process has not heard of it yet.
    /// If the process dies first, `visit` is dropped.
    pub fn before_answer(&self, when: When, visit: impl FnOnce() + Send + 'static) {
        self.device.lock().processes[self.id()].answers.push((when, Box::new(visit)));
    }

    /// The answer is on its way, and others go on meanwhile. Nothing reaches a process that died.
    fn answered(&self, op: Op, name: &str) -> Result<()> {
        let mut device = self.device.lock();
        let Device { processes, random, .. } = &mut *device;
        let comes = |(when, _): &mut (When, Visit)| when.comes(op, name, self.id(), random);
        let due: Vec<_> = processes[self.id()].answers.extract_if(.., comes).collect();
        drop(device);
        due.into_iter().for_each(|(_, visit)| visit());
        baton::turn(op);
        let alive = self.device.lock().alive(self.id());
        alive.map_err(|error| Error::new(Kind::Unknown, "nobody heard the answer").because(error))
    }
}
