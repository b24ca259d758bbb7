//! The scanners against the regex engine that they replace.

use fancy_regex::Regex;

use super::patterns::KNOWN;
use super::*;

/// The pre-tokens by the regex itself: the slow reference.
fn by_regex(regex: &Regex, text: &str) -> Vec<String> {
    regex
        .find_iter(text)
        .map(|found| found.unwrap().as_str().to_owned())
        .collect()
}

fn by_splitter(splitter: &Splitter, text: &str) -> Vec<String> {
    let mut out = Vec::new();
    splitter
        .for_each(text, |piece| {
            out.push(String::from_utf8(piece.to_vec()).unwrap())
        })
        .unwrap();
    out
}

/// A small generator (splitmix64), so that the cases are the same on every machine.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

/// Strings that the patterns treat differently, several of each class and some that look like others.
const PARTS: &[&str] = &[
    " ",
    " ",
    " ",
    "  ",
    "\t",
    "\n",
    "\n",
    "\r",
    "\r\n",
    "\u{b}",
    "\u{c}",
    "\u{85}",
    "\u{a0}",
    "\u{2003}",
    "\u{2028}",
    "\u{3000}",
    "a",
    "b",
    "s",
    "t",
    "d",
    "m",
    "l",
    "v",
    "e",
    "r",
    "K",
    "S",
    "T",
    "L",
    "V",
    "E",
    "R",
    "D",
    "M",
    "word",
    "Word",
    "WORD",
    "'",
    "'",
    "'s",
    "'S",
    "'ll",
    "'lL",
    "'ve",
    "'RE",
    "'ſ",
    "ſ",
    "\u{212a}",
    "'\u{212a}",
    "’s",
    "é",
    "É",
    "ß",
    "ǅ",
    "ʰ",
    "ª",
    "中",
    "文字",
    "한국어",
    "ह",
    "ि",
    "ا",
    "\u{301}",
    "\u{20dd}",
    "\u{fe0f}",
    "0",
    "1",
    "12",
    "123",
    "1234567",
    "٣",
    "½",
    "Ⅷ",
    "一",
    "𝟘",
    "𝐀",
    "𐐀",
    "𐐨",
    "!",
    ".",
    "/",
    "//",
    "-",
    "_",
    "(",
    "€",
    "😀",
    "👨\u{200d}👩",
    "\u{200b}",
    "\u{0}",
    "\u{7f}",
    "\u{10ffff}",
    "\u{e000}",
];

fn random_text(random: &mut Random) -> String {
    let (kinds, parts) = (1 + random.below(12), random.below(60));
    let palette: Vec<&str> = (0..kinds)
        .map(|_| PARTS[random.below(PARTS.len())])
        .collect();
    let mut text = String::new();
    for _ in 0..parts {
        let part = palette[random.below(kinds)];
        let times = if random.below(8) == 0 {
            1 + random.below(80)
        } else {
            1
        };
        text.extend(std::iter::repeat_n(part, times));
    }
    text
}

#[test]
fn scanners_agree_with_the_regex_on_random_text() {
    for (spelling, rule) in KNOWN {
        let regex = Regex::new(spelling).unwrap();
        let splitter = Splitter::new(spelling).unwrap();
        assert!(matches!(splitter.engine, Engine::Scanner(found) if found == rule));
        let mut random = Random(7);
        for case in 0..4_000 {
            let text = random_text(&mut random);
            assert_eq!(
                by_splitter(&splitter, &text),
                by_regex(&regex, &text),
                "{rule:?}, case {case}, {text:?}, {spelling}"
            );
        }
    }
}

#[test]
fn scanners_agree_with_the_regex_on_every_character() {
    let characters: Vec<char> = ('\0'..=char::MAX).collect();
    // between them these two ask for every class
    for (name, spelling) in [("gpt4o", GPT4O), ("nanochat", NANOCHAT)] {
        let regex = Regex::new(spelling).unwrap();
        let splitter = Splitter::new(spelling).unwrap();
        // alone, between letters, after an apostrophe and in pairs: what a class decides
        for chunk in characters.chunks(4096) {
            let text: String = chunk
                .iter()
                .flat_map(|&c| ['a', c, 'a', ' ', c, c, '\'', c, '1', c, ' '])
                .collect();
            let (ours, theirs) = (by_splitter(&splitter, &text), by_regex(&regex, &text));
            assert!(ours == theirs, "{name}, characters from {:?}", chunk[0]);
        }
    }
}

#[test]
fn known_patterns_keep_every_byte_of_hard_texts() {
    let texts = [
        "",
        " ",
        "\n",
        "'",
        "'s",
        "don't DON'T we'll WE'LL 'tis it'ſ",
        "x  \n\n  y \t z\r\n",
        "for i in range(10):\n        print(i)\n\n\n# end   ",
        "price: 1234567.89€, 50%\u{a0}!",
        "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467} الْعَرَبِيَّة हिन्दी 한국어 日本語 𝟘𝟙𝟚",
    ];
    for (name, regex) in PATTERNS {
        let splitter = Splitter::new(name).unwrap();
        assert_eq!(splitter.regex(), regex);
        assert_eq!(splitter.name(), Some(name));
        for text in texts {
            assert_eq!(by_splitter(&splitter, text).concat(), text, "{name}");
        }
    }
}

#[test]
fn long_runs_take_linear_time() {
    // a scanner that looked back over the run at every pre-token would need hours for these
    let runs = [
        "a", "A", " ", "\n", " \n", "1", "!", "'", "'s", "é", "中", "中A", "A中", "😀", "\u{301}",
        "aB", "\u{a0}",
    ];
    for (name, _) in PATTERNS {
        let splitter = Splitter::new(name).unwrap();
        for run in runs {
            let text = run.repeat(1_000_000 / run.len());
            let mut bytes = 0;
            splitter
                .for_each(&text, |piece| bytes += piece.len())
                .unwrap();
            assert_eq!(bytes, text.len(), "{name} {run:?}");
        }
    }
}

#[test]
fn another_regex_drops_what_it_does_not_match() {
    let splitter = Splitter::new(r"[a-z]+(?!\d)|x*").unwrap();
    assert_eq!(splitter.name(), None);
    assert_eq!(
        by_splitter(&splitter, "abc def1 -- gh"),
        ["abc", "de", "gh"]
    );
}

#[test]
fn a_bad_regex_is_named() {
    let error = Splitter::new("gpt5(").unwrap_err().to_string();
    assert!(
        error.contains("\"gpt5(\"") && error.contains("nanochat"),
        "{error}"
    );
}

#[test]
fn a_regex_that_backtracks_out_is_an_error() {
    let splitter = Splitter::new(r"(?:a|a)+(?=c)(?<=c)b").unwrap();
    let error = splitter.for_each(&"a".repeat(5_000), |_| ()).unwrap_err();
    let Error::Pattern { pattern, reason } = error else {
        panic!("{error}")
    };
    assert!(
        pattern.starts_with("(?:a|a)+") && reason.contains("5000 bytes"),
        "{reason}"
    );
}
