//! Pre-tokenization: cutting a text into the chunks that no merge crosses.
//!
//! The known split patterns (GPT-2's, GPT-4's, GPT-4o's and nanochat's) have hand-written scanners;
//! any other regex goes to `fancy-regex`. Either way the pre-tokens are the regex's matches from left
//! to right, as tiktoken and rustbpe take them. **Text that a regex does not match is dropped**, as it
//! is there; the known patterns match every character, and a round trip shows where another does not.

mod classes;
mod patterns;
mod rule;
mod scanner;
#[cfg(test)]
pub(crate) mod tests;
mod window;

use std::sync::Arc;

use fancy_regex::Regex;

pub use patterns::{GPT2, GPT4, GPT4O, NANOCHAT, PATTERNS};
use rule::Rule;
use scanner::Text;

use crate::error::{Error, Result};

/// Most pre-tokens that are handed on at a time.
pub(crate) const ROW: usize = 192;

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
        self.for_each_row(text, |mut start, ends| {
            for &end in ends {
                f(&text.as_bytes()[start..end]);
                start = end;
            }
        })
    }

    /// Calls `f` with where pre-tokens that touch each other start, and where each of them ends; at
    /// most [`ROW`] of them at a time.
    #[inline]
    pub(crate) fn for_each_row(
        &self,
        text: &str,
        mut f: impl FnMut(usize, &[usize]),
    ) -> Result<()> {
        match &self.engine {
            Engine::Scanner(rule) => {
                let (classes, mut at, mut ends) = (Text::new(text), 0, [0; ROW]);
                while at < text.len() {
                    let number = rule.fill(classes, at, &mut ends);
                    f(at, &ends[..number]);
                    at = ends[number - 1];
                }
            }
            Engine::Regex(regex) => {
                for found in regex.find_iter(text) {
                    let found = found.map_err(|error| self.gave_up(text, &error))?;
                    if !found.as_str().is_empty() {
                        f(found.start(), &[found.end()]);
                    }
                }
            }
        }
        Ok(())
    }

    fn gave_up(&self, text: &str, error: &fancy_regex::Error) -> Error {
        let begin: String = text.chars().take(40).collect();
        let reason = format!(
            "gave up on a text of {} bytes that begins with {begin:?} ({error}); \
             use a pattern that backtracks less, or leave the document out",
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
