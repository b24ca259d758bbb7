//! Pre-tokenization: cutting a text into the chunks that no merge crosses.
//!
//! The known split patterns (GPT-2's, GPT-4's, GPT-4o's and nanochat's) have hand-written scanners;
//! any other regex goes to `fancy-regex`. Either way the pre-tokens are the regex's matches from left
//! to right, as tiktoken and rustbpe take them. **Text that a regex does not match is dropped**, as it
//! is there; the known patterns match every character, and a round trip shows where another does not.

mod classes;
mod patterns;
mod scanner;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use fancy_regex::Regex;

pub use patterns::{GPT2, GPT4, GPT4O, NANOCHAT, PATTERNS};
use scanner::{Rule, Text};

use crate::error::{Error, Result};

/// Cuts texts into pre-tokens by one split pattern.
///
/// Cheap to clone; give each thread a clone of its own, since a regex shared between threads has them
/// wait for its scratch space.
#[derive(Debug, Clone)]
pub struct Splitter {
    regex: Arc<str>,
    engine: Engine,
}

#[derive(Debug, Clone)]
enum Engine {
    Scanner(Rule),
    Regex(Box<Regex>),
}

impl Splitter {
    /// A splitter by a name in [`PATTERNS`] or by a regex.
    ///
    /// A regex that is one of the known patterns, in any of its usual spellings, gets its scanner.
    ///
    /// # Errors
    /// [`Error::Pattern`] where the regex does not compile.
    pub fn new(name_or_regex: &str) -> Result<Self> {
        let named = PATTERNS.iter().find(|(name, _)| *name == name_or_regex);
        let regex = named.map_or(name_or_regex, |(_, regex)| regex);
        let engine = match patterns::KNOWN.iter().find(|(known, _)| *known == regex) {
            Some((_, rule)) => Engine::Scanner(*rule),
            None => Engine::Regex(Box::new(compile(regex)?)),
        };
        Ok(Self {
            regex: regex.into(),
            engine,
        })
    }

    /// The regex, also where the splitter was made by name.
    pub fn regex(&self) -> &str {
        &self.regex
    }

    /// The pattern's name in [`PATTERNS`], if it is one of them in that spelling.
    pub fn name(&self) -> Option<&'static str> {
        PATTERNS
            .iter()
            .find(|(_, regex)| *regex == self.regex())
            .map(|(name, _)| *name)
    }

    /// Calls `f` with each pre-token of `text` in order; none is empty.
    ///
    /// # Errors
    /// [`Error::Pattern`] where a regex without a scanner gives up on the text; the pre-tokens before
    /// that place have been seen by then.
    #[inline]
    pub fn for_each(&self, text: &str, mut f: impl FnMut(&[u8])) -> Result<()> {
        match &self.engine {
            Engine::Scanner(rule) => {
                scan(*rule, text, f);
                Ok(())
            }
            Engine::Regex(regex) => {
                for found in regex.find_iter(text) {
                    let found = found.map_err(|error| self.gave_up(text, &error))?;
                    if !found.as_str().is_empty() {
                        f(found.as_str().as_bytes());
                    }
                }
                Ok(())
            }
        }
    }

    fn gave_up(&self, text: &str, error: &fancy_regex::Error) -> Error {
        let begin: String = text.chars().take(40).collect();
        let reason = format!(
            "gave up on a text of {} bytes that begins with {begin:?} ({error}); \
             use a pattern that backtracks less, or cap the documents",
            text.len()
        );
        Error::Pattern {
            pattern: self.regex().to_owned(),
            reason,
        }
    }
}

fn compile(regex: &str) -> Result<Regex> {
    Regex::new(regex).map_err(|error| {
        let names: Vec<&str> = PATTERNS.iter().map(|(name, _)| *name).collect();
        let reason = format!(
            "not a regex ({error}), nor one of the names {}",
            names.join(", ")
        );
        Error::Pattern {
            pattern: regex.to_owned(),
            reason,
        }
    })
}

/// [`Splitter::for_each`] for a known pattern; one copy of the loop for each rule.
#[inline]
fn scan(rule: Rule, text: &str, f: impl FnMut(&[u8])) {
    #[inline(always)]
    fn each(rule: Rule, text: &str, mut f: impl FnMut(&[u8])) {
        let classes = Text::new(text);
        let mut at = 0;
        while at < text.len() {
            let end = rule.end(classes, at);
            f(&text.as_bytes()[at..end]);
            at = end;
        }
    }
    match rule {
        Rule::Gpt2 => each(Rule::Gpt2, text, f),
        Rule::Gpt4 => each(Rule::Gpt4, text, f),
        Rule::Cl100k => each(Rule::Cl100k, text, f),
        Rule::Gpt4o => each(Rule::Gpt4o, text, f),
        Rule::Nanochat => each(Rule::Nanochat, text, f),
    }
}
