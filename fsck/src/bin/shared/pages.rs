//! Help, man page and completions, all from the one definition of the command line.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Command, FromArgMatches, Subcommand};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::text::escaped_lines;

// The verbs of packagers, which every program has besides its own. (A doc comment here would be the program's own help.)
#[derive(Debug, Subcommand)]
enum Page {
    /// The man page of this program and its verbs, for man(1)
    #[command(hide = true)]
    Man,
    /// What a shell reads to complete this program's command lines
    #[command(hide = true)]
    Completions {
        /// Which shell
        shell: Shell,
    },
}

/// What the man page has besides the definition: headings, and what stands below them.
pub(crate) type Sections<'a> = &'a [(&'a str, &'a str)];

/// Reads the command line. The error is how the program ends, where there is nothing else for it to do: a page was asked
/// for and is written, or the command line is wrong, and what is wrong was said.
pub(crate) fn args<A: FromArgMatches>(
    definition: Command,
    sections: Sections<'_>,
    usage: u8,
) -> Result<A, ExitCode> {
    let read = || {
        let matches = Page::augment_subcommands(definition.clone()).try_get_matches()?;
        match matches.subcommand_name().is_some_and(Page::has_subcommand) {
            true => Page::from_arg_matches(&matches).map(Err),
            false => A::from_arg_matches(&matches).map(Ok),
        }
    };
    match read() {
        Ok(Ok(args)) => Ok(args),
        Ok(Err(page)) => Err(written(&page, definition, sections)),
        Err(error) => Err(explained(&error, usage)),
    }
}

/// What was typed is quoted in it. If it cannot be written, nobody is there to be told.
fn explained(error: &clap::Error, usage: u8) -> ExitCode {
    let text = escaped_lines(&error.to_string());
    if error.use_stderr() {
        let _ = io::stderr().write_all(text.as_bytes());
        return ExitCode::from(usage);
    }
    let _ = io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn written(page: &Page, definition: Command, sections: Sections<'_>) -> ExitCode {
    let mut text = Vec::new();
    let made = match page {
        Page::Man => man(definition, sections, &mut text),
        Page::Completions { shell } => {
            let (mut definition, name) = (definition.clone(), definition.get_name().to_owned());
            clap_complete::generate(*shell, &mut definition, name, &mut text);
            Ok(())
        }
    };
    match made.and_then(|()| io::stdout().write_all(&text)) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

/// One page for the program and all its verbs.
fn man(definition: Command, sections: Sections<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut definition = definition.disable_help_subcommand(true);
    definition.build();
    let page = Man::new(definition.clone()).manual("Headwater").section("8");
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    Roff::new().control("SH", ["COMMANDS"]).to_writer(out)?;
    verbs(&definition, out)?;
    for (heading, text) in sections {
        // Lines that are indented are a table or commands, and stay as they are.
        let (from, to) = if text.contains("\n  ") { ("nf", "fi") } else { ("ad", "ad") };
        Roff::new()
            .control("SH", [*heading])
            .control(from, [])
            .text([roman(*text)])
            .control(to, [])
            .to_writer(out)?;
    }
    Ok(())
}

fn verbs(of: &Command, out: &mut dyn Write) -> io::Result<()> {
    for verb in of.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let name = verb.get_bin_name().unwrap_or_else(|| verb.get_name()).to_owned();
        let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
        Roff::new().control("SS", [name.as_str()]).text([roman(about)]).to_writer(out)?;
        let page = Man::new(verb.clone().after_help("").after_long_help(""));
        without_heading(|text| page.render_synopsis_section(text), out)?;
        if verb.get_arguments().any(|argument| !argument.is_hide_set()) {
            without_heading(|text| page.render_options_section(text), out)?;
        }
        verbs(verb, out)?;
    }
    Ok(())
}

/// A section's text as a paragraph of the section at hand.
fn without_heading(
    render: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut text = Vec::new();
    render(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    writeln!(out, ".PP")?;
    for line in text
        .lines()
        .filter(|line| !line.starts_with(".SH ") && !line.starts_with(".ie ") && !line.starts_with(".el "))
    {
        writeln!(out, "{line}")?;
    }
    Ok(())
}
