//! What a probe has found out.

use std::fmt;

/// What was tried at a place, and what came of it.
#[derive(Clone, Debug)]
pub struct Findings {
    pub(super) place: String,
    pub(super) list: Vec<Finding>,
}

/// One property of a place.
#[derive(Clone, Debug)]
pub struct Finding {
    pub(super) property: &'static str,
    pub(super) tried: String,
    pub(super) held: Held,
    pub(super) means: &'static str,
}

/// Whether a property held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// As often as it was tried.
    Yes,
    /// It did not; what was seen instead.
    No(String),
    /// It could not be tried; why not.
    Undecided(String),
}

impl Held {
    pub(super) fn unless<T: AsRef<str>>(wrong: &[T]) -> Self {
        match wrong {
            [] => Held::Yes,
            [one] => Held::No(one.as_ref().to_owned()),
            [first, rest @ ..] => Held::No(format!("{}, and {} times more", first.as_ref(), rest.len())),
        }
    }
}

impl Findings {
    /// Where it was tried, as a URL without secrets.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Whether a log may lie here: everything was tried, and held.
    pub fn fit(&self) -> bool {
        self.list.iter().all(|finding| finding.held == Held::Yes)
    }

    /// The first property that did not hold, or else the first that could not be tried.
    pub fn worst(&self) -> Option<&Finding> {
        let broken = |finding: &&Finding| matches!(finding.held, Held::No(_));
        let untried = |finding: &&Finding| matches!(finding.held, Held::Undecided(_));
        self.list.iter().find(broken).or_else(|| self.list.iter().find(untried))
    }

    /// Each property, in the order in which they were tried.
    pub fn list(&self) -> &[Finding] {
        &self.list
    }
}

impl Finding {
    /// The property, as a fact about a place that has it.
    pub fn property(&self) -> &str {
        self.property
    }

    /// How it was tried.
    pub fn tried(&self) -> &str {
        &self.tried
    }

    /// Whether it held.
    pub fn held(&self) -> &Held {
        &self.held
    }

    /// What becomes of a log where it does not hold.
    pub fn means(&self) -> &str {
        self.means
    }
}

impl fmt::Display for Findings {
    /// A line for each property, and what a log can make of the place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.place)?;
        for finding in &self.list {
            writeln!(f, "  {finding}")?;
        }
        f.write_str(match self.worst().map(Finding::held) {
            None | Some(Held::Yes) => "a log may lie here",
            Some(Held::No(_)) => "no log may lie here",
            Some(Held::Undecided(_)) => "whether a log may lie here was not found out; probe again",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding { property, tried, means, .. } = self;
        match &self.held {
            Held::Yes => write!(f, "ok      {property} ({tried})"),
            Held::No(seen) => write!(f, "WRONG   {property} ({tried}): {seen}; a log here: {means}"),
            Held::Undecided(why) => write!(f, "unknown {property} ({tried}): {why}"),
        }
    }
}
