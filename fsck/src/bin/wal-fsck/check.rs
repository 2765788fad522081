//! `check`: everything that is wrong, what it costs, and what to do; with `--repair` it is done.

use std::ffi::OsString;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use clap::ValueEnum;
use headwater_checkpoint::resume::Root;
use headwater_fsck::{
    Against, Depth, Finding, Here, Part, Report, check, checkpoints, journal, root, what_is_here,
};
use headwater_wal::store::Store;
use headwater_wal::{Error, Position};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::mend::{self, Mending};
use crate::progress::{Progress, Watched, all_bytes};
use crate::tally::Tally;
use crate::{colour, place, report, signals};

#[derive(Debug, clap::Args)]
#[group(id = "checking")]
pub(crate) struct Args {
    /// What is checked: a log, a folder of checkpoints, or a root that holds both
    #[arg(value_name = "URL")]
    url: OsString,
    /// How much is read [default: cross of a root, full of anything else]
    #[arg(long, value_enum, value_name = "LEVEL")]
    level: Option<Level>,
    /// A position that is known to have been acknowledged, from a checkpoint, say: the log must reach it
    #[arg(long, value_name = "POS", default_value_t = 0, hide_default_value = true)]
    pub(crate) at_least: u64,
    /// Mends what can be mended: shows the plan, and asks before anything is written
    #[arg(long)]
    pub(crate) repair: bool,
    /// Does what the plan says without asking
    #[arg(long, requires = "repair")]
    pub(crate) yes: bool,
    /// Does also those steps of the plan that give up what cannot be read
    #[arg(long, requires = "repair")]
    pub(crate) allow_data_loss: bool,
    /// Lines of JSON: every finding, every step, and last the summary
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Level {
    /// The chain, headers and footers, and every byte of what they do not prove
    Quick,
    /// Every byte
    Full,
    /// Every byte, and of a root the journal and the checkpoints against the logs
    Cross,
}

impl Args {
    fn level(&self, here: Here) -> Level {
        self.level.unwrap_or(if here == Here::Root { Level::Cross } else { Level::Full })
    }

    fn fits(&self, here: Here) -> Result<(), Failure> {
        if self.at_least > 0 && matches!(here, Here::Root | Here::Checkpoints) {
            let message = "--at-least is a position in one log, and URL is none: name the log's folder";
            return Err(Failure::Usage(message.into()));
        }
        Ok(())
    }
}

pub(crate) fn run(args: &Args, progress: &Arc<Progress>, out: &mut dyn Write) -> Result<Exit, Failure> {
    signals::watch(progress.interrupted())?;
    let store = Watched::over(place::open(&args.url)?, progress);
    let here = what_is_here(&*store)?;
    args.fits(here)?;
    let level = args.level(here);
    let depth = if level == Level::Quick { Depth::Quick } else { Depth::Full };
    let all = if depth == Depth::Full { all_bytes(progress, &*store)? } else { None };
    progress.begin("checking", all);
    let place = store.place();
    let (tally, mendings) = (Tally::default(), Vec::new());
    let mut work = Work { args, place, here, depth, progress, out, tally, mendings, next: None };
    match here {
        Here::Checkpoints => {
            let bare = place::open(&args.url)?;
            work.checkpoints(&checkpoints::check(&store, depth)?, || Ok(bare))?;
        }
        Here::Root => {
            work.root(&store, if level == Level::Cross { Against::Others } else { Against::Itself })?
        }
        Here::Log | Here::Nothing => {
            let report = check(&*store, Position(args.at_least), depth)?;
            let bare = place::open(&args.url)?;
            work.log(&report, &[], || Ok(bare))?;
        }
    }
    work.end()
}

/// A check under way, and what it has come to.
pub(crate) struct Work<'a> {
    pub(crate) args: &'a Args,
    /// As commands name it.
    pub(crate) place: String,
    pub(crate) here: Here,
    pub(crate) depth: Depth,
    pub(crate) progress: &'a Arc<Progress>,
    pub(crate) out: &'a mut dyn Write,
    pub(crate) tally: Tally,
    pub(crate) mendings: Vec<Mending>,
    /// The command to run next, where a repair knows it.
    pub(crate) next: Option<String>,
}

impl Work<'_> {
    fn root(&mut self, whole: &Arc<dyn Store>, against: Against) -> Result<(), Failure> {
        let (bare, progress) = (place::open_root(&self.args.url)?.0, self.progress.clone());
        let watched = bare.clone();
        let watched = Root::new(move |folder| Ok(Watched::over(watched.folder(folder.as_str())?, &progress)));
        if against == Against::Itself {
            self.tally.each_by_itself();
        }
        let mut is_first = true;
        root(&watched, &**whole, self.depth, against, &mut |part| {
            self.progress.clear();
            if !self.args.json && !std::mem::take(&mut is_first) && !matches!(part, Part::Failed { .. }) {
                writeln!(self.out)?;
            }
            match part {
                Part::Checkpoints(report) => self.checkpoints(&report, || bare.checkpoints()),
                Part::Log { folder, report, needs } => {
                    self.log(&report, &needs, || bare.folder(folder.as_str()))
                }
                Part::Journal(report) => self.journal(&report),
                Part::Failed { error, .. } => self.failed(error),
            }
        })
    }

    fn checkpoints(
        &mut self,
        report: &checkpoints::Report,
        bare: impl FnOnce() -> Result<Arc<dyn Store>, Error>,
    ) -> Result<(), Failure> {
        self.tally.checkpoints(report);
        match self.args.json {
            true => report::checkpoints(report, self.out)?,
            false => self.page(&report.to_string())?,
        }
        self.plan(|_| bare().and_then(Mending::of_checkpoints))
    }

    /// If something is to be mended at all.
    fn plan(&mut self, plan: impl FnOnce(&Arc<Progress>) -> Result<Mending, Error>) -> Result<(), Failure> {
        if !self.args.repair {
            return Ok(());
        }
        match plan(self.progress) {
            Ok(mending) => self.mendings.push(mending),
            Err(error) => self.failed(error)?,
        }
        Ok(())
    }

    fn journal(&mut self, report: &journal::Report) -> Result<(), Failure> {
        self.tally.journal(report);
        match self.args.json {
            true => report::journal(report, self.out)?,
            false => self.page(&report.to_string())?,
        }
        Ok(())
    }

    fn log(
        &mut self,
        report: &Report,
        needs: &[Finding],
        bare: impl FnOnce() -> Result<Arc<dyn Store>, Error>,
    ) -> Result<(), Failure> {
        self.tally.log(report);
        self.tally.between(needs);
        self.show(report)?;
        for finding in needs {
            match self.args.json {
                true => report::line(finding).write(self.out)?,
                false => self.page(&format!("\n{finding}\n"))?,
            }
        }
        self.plan(|progress| bare().and_then(|store| Mending::of(store, report, progress)))
    }

    pub(crate) fn show(&mut self, report: &Report) -> Result<(), Failure> {
        self.progress.clear();
        match self.args.json {
            true => report::log(report, self.out)?,
            false => self.page(&report.to_string())?,
        }
        Ok(())
    }

    pub(crate) fn page(&mut self, text: &str) -> Result<(), Failure> {
        self.progress.clear();
        Ok(self.out.write_all(colour::page(text).as_bytes())?)
    }

    /// The other parts are worth a look all the same, unless nobody wants one any more.
    pub(crate) fn failed(&mut self, error: Error) -> Result<(), Failure> {
        let failure = Failure::from(error);
        if self.progress.interrupted().load(Ordering::Relaxed) {
            return Err(failure);
        }
        self.tally.failed(Exit::of(&failure));
        self.say(&failure.to_string())
    }

    /// Says something that is no result.
    pub(crate) fn say(&mut self, text: &str) -> Result<(), Failure> {
        self.progress.clear();
        self.out.flush()?;
        let _ = writeln!(io::stderr(), "wal-fsck: {text}");
        Ok(())
    }

    fn end(mut self) -> Result<Exit, Failure> {
        if self.args.repair {
            mend::run(&mut self)?;
        }
        self.progress.clear();
        let next = mend::next(&self);
        match self.args.json {
            true => self.tally.json(next.as_deref()).write(self.out)?,
            false => self.tally.page(next.as_deref(), self.out)?,
        }
        Ok(self.tally.exit())
    }
}
