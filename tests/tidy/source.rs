//! A Rust file, taken apart as far as the rules need it: code, comments and texts, test modules.
//!
//! Not a parser: it knows comments, string and character literals, and balanced braces. Line numbers hold, since
//! what is taken out leaves its line ends behind.

/// A file of the tree.
#[derive(Debug)]
pub struct Source {
    /// From the root of the repository.
    pub path: String,
    pub text: String,
    /// The text without comments, and without what stands in string literals.
    pub code: String,
    /// What stands in string literals, each with its line.
    pub literals: Vec<(usize, String)>,
}

impl Source {
    pub fn new(path: String, text: String) -> Self {
        let (code, literals) = Splitter::new(&text).split();
        Self { path, text, code, literals }
    }

    /// The file without its `#[cfg(test)] mod … { … }`.
    pub fn without_test_modules(&self) -> Self {
        let mut text = self.text.clone();
        while let Some((start, end)) = inline_test_module(&Self::new(String::new(), text.clone()).code) {
            let blank: String = text[start..end].chars().filter(|c| *c == '\n').collect();
            text.replace_range(start..end, &blank);
        }
        Self::new(self.path.clone(), text)
    }

    /// The files of its `#[cfg(test)] mod name;`, in both places where one can be.
    pub fn test_modules(&self) -> Vec<String> {
        let folder = match self.path.rsplit_once('/') {
            Some((folder, "mod.rs" | "lib.rs" | "main.rs")) => folder,
            _ => self.path.strip_suffix(".rs").unwrap_or(&self.path),
        };
        let names = test_module_heads(&self.code).filter(|(_, rest)| rest.ends_with(';'));
        let names = names.filter_map(|(_, rest)| rest.strip_suffix(';').map(str::trim));
        names.flat_map(|name| [format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")]).collect()
    }

    /// The line of an offset into the code.
    pub fn line_of(&self, offset: usize) -> usize {
        1 + self.code[..offset].matches('\n').count()
    }

    /// Where a word stands in the code, not as a part of another.
    pub fn words<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        self.code.match_indices(word).map(|(at, _)| at).filter(move |at| {
            let after = &self.code[at + word.len()..];
            !self.code[..*at].ends_with(is_part) && !after.starts_with(is_part)
        })
    }
}

/// Each `#[cfg(test)] mod`: where it starts, and its name up to `;` or `{`, which is included.
fn test_module_heads(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.match_indices("#[cfg(test)]").filter_map(|(start, attribute)| {
        let rest = code[start + attribute.len()..].trim_start();
        let rest = rest.strip_prefix("pub(crate) ").or(rest.strip_prefix("pub ")).unwrap_or(rest);
        let rest = rest.strip_prefix("mod ")?;
        Some((start, &rest[..=rest.find([';', '{'])?]))
    })
}

/// From where to where the first inline test module goes.
fn inline_test_module(code: &str) -> Option<(usize, usize)> {
    let (start, _) = test_module_heads(code).find(|(_, head)| head.ends_with('{'))?;
    let mut depth = 0_usize;
    for (offset, byte) in code[start..].bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return Some((start, start + offset + 1)),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Splits a text into code and literals.
struct Splitter<'a> {
    text: &'a str,
    at: usize,
    code: String,
    literals: Vec<(usize, String)>,
}

impl<'a> Splitter<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0, code: String::with_capacity(text.len()), literals: Vec::new() }
    }

    /// Code has the text's length: what is taken out is made blank.
    fn split(mut self) -> (String, Vec<(usize, String)>) {
        while self.at < self.text.len() {
            let rest = &self.text[self.at..];
            if rest.starts_with("//") {
                self.blank(rest.find('\n').unwrap_or(rest.len()));
            } else if rest.starts_with("/*") {
                self.blank(block_comment(rest));
            } else if let Some(hashes) = raw_string(rest).filter(|_| !self.within_a_word()) {
                let open = rest.find('"').expect("a raw string has one") + 1;
                let close = format!("\"{}", "#".repeat(hashes));
                let inner = rest[open..].find(&close).unwrap_or(rest.len() - open);
                self.literal(open, inner, close.len());
            } else if let Some(inner) = rest.strip_prefix('"') {
                self.literal(1, string_end(inner), 1);
            } else if let Some(length) = character(rest) {
                self.blank(length);
            } else {
                let next = rest.chars().next().expect("not at the end");
                self.code.push(next);
                self.at += next.len_utf8();
            }
        }
        (self.code, self.literals)
    }

    fn within_a_word(&self) -> bool {
        self.code.ends_with(|c: char| c.is_alphanumeric() || c == '_')
    }

    fn literal(&mut self, open: usize, inner: usize, close: usize) {
        let line = 1 + self.text[..self.at].matches('\n').count();
        let text = &self.text[self.at + open..self.at + open + inner];
        self.literals.push((line, text.to_owned()));
        self.blank((open + inner + close).min(self.text.len() - self.at));
    }

    fn blank(&mut self, length: usize) {
        let taken = &self.text[self.at..self.at + length];
        self.code.extend(taken.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        self.at += length;
    }
}

/// The length of the comment that the text begins with; they nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// How many `#` the raw string that the text begins with has, if it does.
fn raw_string(text: &str) -> Option<usize> {
    let text = text.strip_prefix(['b', 'c']).unwrap_or(text).strip_prefix('r')?;
    let rest = text.trim_start_matches('#');
    rest.starts_with('"').then(|| text.len() - rest.len())
}

/// The length of what stands before the closing quote.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at,
            _ => {}
        }
    }
    text.len()
}

/// The length of the character literal that the text begins with; a lifetime is none.
fn character(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('\'')?;
    let mut chars = inner.char_indices();
    if chars.next()?.1 == '\\' {
        chars.next();
        return inner[2..].find('\'').map(|end| end + 4);
    }
    let (end, quote) = chars.next()?;
    (quote == '\'').then_some(end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        let source = Source::new("src/x.rs".into(), text.into());
        assert_eq!(source.code.len(), text.len(), "offsets hold");
        source.code.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_and_texts_are_no_code() {
        for (text, expected) in [
            ("a // b\nc", "a c"),
            ("a /* b /* c */ d */ e", "a e"),
            (r#"a("b \" c", d)"#, "a( , d)"),
            ("a(r#\"b \" c\"#, d)", "a( , d)"),
            ("a(br\"b\", d)", "a( , d)"),
            ("for_r\"x\"", "for_r"),
            ("a('\"', 'b', '\\'', '\\u{1f}', d)", "a( , , , , d)"),
            ("fn a<'b>(c: &'b str) -> &'static str", "fn a<'b>(c: &'b str) -> &'static str"),
            ("a(\"// b\") + c", "a( ) + c"),
            ("\"never closed", ""),
            ("/* never closed", ""),
        ] {
            assert_eq!(code(text), expected, "{text}");
        }
    }

    #[test]
    fn texts_are_kept_with_their_lines() {
        let source =
            Source::new("src/x.rs".into(), "a(\"one\");\n\nb(r\"two\n\", 'c');\nd(\"three\")".into());
        let expected = [(1, "one"), (3, "two\n"), (5, "three")];
        assert_eq!(source.literals, expected.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn test_modules_are_left_out() {
        let text = "use a;\n#[cfg(test)]\nmod tests {\n use b; fn c() { \"}\"; }\n}\nuse d;\n#[cfg(test)]\npub(crate) mod e;\n";
        let source = Source::new("src/x/y.rs".into(), text.into());
        let without = source.without_test_modules();
        assert!(!without.code.contains("use b") && without.code.contains("use d"));
        assert_eq!(without.line_of(without.code.find("use d").unwrap()), 6);
        assert_eq!(source.test_modules(), ["src/x/y/e.rs", "src/x/y/e/mod.rs"]);
    }
}
