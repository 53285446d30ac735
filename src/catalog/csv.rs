//! A catalogue as a CSV file (RFC 4180), one episode a row.
//!
//! The first line names the columns, in any order and in either case:
//! `show,episode,path,bytes,duration_s,published_at,audio_start`, and if wanted `title`, `show_title`, `host` and
//! `chapters` (a URL, or a path from the CSV's folder).
//! `show`, `episode` (both slugs, to the letter) and `path` are required; the rest may be empty or missing, from
//! the end of a row too. 0 bytes or seconds are unknown. Columns of other names are not looked at.
//!
//! A row without a required value is left out; an optional value that cannot be read is taken as unknown, since a
//! row left out would lose every download of its episode. Either is reported. Where two rows name one episode, or
//! one path on one host, the later holds.

use std::collections::HashMap;
use std::path::Path;

use ::csv::{ByteRecord, ReaderBuilder, Trim};

use super::item::MAX_SLUG_BYTES;
use super::problem::{Cost, Error, Fault, Place, Problem};
use super::values::{self, Unreadable};
use super::{chapters, time, url};
use crate::attribution::Episode;

/// What a CSV file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CsvCatalog {
    /// In the file's order; no two of one show and slug, nor of one host and path.
    pub rows: Vec<CsvEpisode>,
    /// In the file's order.
    pub problems: Vec<Problem>,
}

/// What a row says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvEpisode {
    pub episode: Episode,
    /// The URL or path of its chapters.
    pub chapters_at: Option<String>,
}

/// The columns, as the header names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Show,
    Episode,
    Path,
    Bytes,
    Duration,
    PublishedAt,
    AudioStart,
    Title,
    ShowTitle,
    Host,
    Chapters,
}

impl Column {
    const ALL: [Self; 11] = [
        Self::Show,
        Self::Episode,
        Self::Path,
        Self::Bytes,
        Self::Duration,
        Self::PublishedAt,
        Self::AudioStart,
        Self::Title,
        Self::ShowTitle,
        Self::Host,
        Self::Chapters,
    ];
    const REQUIRED: [Self; 3] = [Self::Show, Self::Episode, Self::Path];

    const fn name(self) -> &'static str {
        match self {
            Self::Show => "show",
            Self::Episode => "episode",
            Self::Path => "path",
            Self::Bytes => "bytes",
            Self::Duration => "duration_s",
            Self::PublishedAt => "published_at",
            Self::AudioStart => "audio_start",
            Self::Title => "title",
            Self::ShowTitle => "show_title",
            Self::Host => "host",
            Self::Chapters => "chapters",
        }
    }
}

/// Reads a whole file. `name` is what problems call it; `folder` is where it is, None if it is not a local file.
///
/// # Errors
/// The header lacks a required column, or names one twice: then nothing can be trusted.
pub fn parse(bytes: &[u8], name: &str, folder: Option<&Path>) -> Result<CsvCatalog, Error> {
    let mut reader =
        ReaderBuilder::new().has_headers(false).flexible(true).trim(Trim::All).from_reader(bytes);
    // Reading bytes from memory, records of any length, cannot fail: what ends the loop is the end.
    let mut records = reader.byte_records().map_while(Result::ok);
    let columns = Columns::of(&records.next().unwrap_or_default(), name)?;
    let mut rows = Rows::default();
    for record in records {
        if record.iter().all(<[u8]>::is_empty) {
            continue; // `,,,`: what a spreadsheet leaves of a cleared row
        }
        let line = record.position().map_or(0, ::csv::Position::line);
        let problems = &mut rows.problems;
        let mut row = Row { source: name, line, columns: &columns, record: &record, problems };
        if let Some(episode) = row.episode() {
            let chapters_at = row.chapters_at(folder);
            rows.add(CsvEpisode { episode, chapters_at }, name, line);
        }
    }
    Ok(rows.into_catalog())
}

/// Where each column stands in this file.
#[derive(Debug)]
struct Columns {
    at: [Option<usize>; Column::ALL.len()],
    count: usize,
}

impl Columns {
    fn of(header: &ByteRecord, file: &str) -> Result<Self, Error> {
        let mut at = [None; Column::ALL.len()];
        for (index, field) in header.iter().enumerate() {
            let named = |column: &Column| field.eq_ignore_ascii_case(column.name().as_bytes());
            if let Some(column) = Column::ALL.into_iter().find(named)
                && at[column as usize].replace(index).is_some()
            {
                return Err(Error::RepeatedColumn { file: file.to_owned(), column: column.name() });
            }
        }
        match Column::REQUIRED.into_iter().find(|&column| at[column as usize].is_none()) {
            None => Ok(Self { at, count: header.len() }),
            Some(column) => Err(Error::MissingColumn { file: file.to_owned(), column: column.name() }),
        }
    }
}

/// One row, being read.
struct Row<'a> {
    source: &'a str,
    line: u64,
    columns: &'a Columns,
    record: &'a ByteRecord,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Row<'a> {
    /// None, with the reason reported, where the row is left out.
    fn episode(&mut self) -> Option<Episode> {
        if self.record.iter().skip(self.columns.count).any(|field| !field.is_empty()) {
            self.report(None, Fault::ExtraFields, Cost::Episode);
            return None;
        }
        Some(Episode {
            show: self.slug(Column::Show)?,
            slug: self.slug(Column::Episode)?,
            path: self.path()?,
            show_title: self.optional(Column::ShowTitle).to_owned(),
            title: self.optional(Column::Title).to_owned(),
            host: Some(url::host_name(self.optional(Column::Host))).filter(|host| !host.is_empty()),
            size: self.value(Column::Bytes, values::whole_number, Fault::ByteCount).filter(|&size| size > 0),
            duration_ms: self.value(Column::Duration, values::duration_ms, Fault::Duration),
            audio_start: self.value(Column::AudioStart, values::whole_number, Fault::ByteCount).unwrap_or(0),
            published_at: self.value(Column::PublishedAt, time::iso_time, Fault::Time),
            chapters: None,
        })
    }

    fn chapters_at(&mut self, folder: Option<&Path>) -> Option<String> {
        let text = self.optional(Column::Chapters);
        chapters::location(text, folder).unwrap_or_else(|Unreadable| {
            self.report(Some(Column::Chapters), Fault::ChaptersUrl(text.to_owned()), Cost::Value);
            None
        })
    }

    fn slug(&mut self, column: Column) -> Option<String> {
        let text = self.required(column)?;
        if text.len() > MAX_SLUG_BYTES {
            self.report(Some(column), Fault::TooLong { max_bytes: MAX_SLUG_BYTES }, Cost::Episode);
            return None;
        }
        Some(text.to_owned())
    }

    fn path(&mut self) -> Option<String> {
        let text = self.required(Column::Path)?;
        let path = url::csv_path(text);
        if path.is_err() {
            self.report(Some(Column::Path), Fault::Path(text.to_owned()), Cost::Episode);
        }
        path.ok()
    }

    fn required(&mut self, column: Column) -> Option<&'a str> {
        let text =
            self.text(column).and_then(|text| if text.is_empty() { Err(Fault::Empty) } else { Ok(text) });
        text.map_err(|fault| self.report(Some(column), fault, Cost::Episode)).ok()
    }

    /// Empty, with the reason reported, where there is none.
    fn optional(&mut self, column: Column) -> &'a str {
        let text = self.text(column);
        text.map_err(|fault| self.report(Some(column), fault, Cost::Value)).unwrap_or_default()
    }

    fn text(&self, column: Column) -> Result<&'a str, Fault> {
        let field =
            self.columns.at[column as usize].and_then(|index| self.record.get(index)).unwrap_or_default();
        let text = std::str::from_utf8(field).map_err(|_| Fault::NotUtf8)?;
        if text.contains(char::is_control) { Err(Fault::Control) } else { Ok(text) }
    }

    fn value<T>(
        &mut self,
        column: Column,
        read: impl Fn(&str) -> Result<Option<T>, Unreadable>,
        fault: impl Fn(String) -> Fault,
    ) -> Option<T> {
        let text = self.optional(column);
        read(text).unwrap_or_else(|Unreadable| {
            self.report(Some(column), fault(text.to_owned()), Cost::Value);
            None
        })
    }

    fn report(&mut self, column: Option<Column>, fault: Fault, cost: Cost) {
        let place = Place::Line { line: self.line, column: column.map(Column::name) };
        self.problems.push(Problem { source: self.source.to_owned(), place, fault, cost });
    }
}

/// The rows so far. One that a later row replaced leaves a gap.
#[derive(Debug, Default)]
struct Rows {
    list: Vec<Option<CsvEpisode>>,
    lines: Vec<u64>,
    by_name: HashMap<(String, String), usize>,
    by_path: HashMap<(Option<String>, String), usize>,
    problems: Vec<Problem>,
}

impl Rows {
    fn add(&mut self, row: CsvEpisode, source: &str, line: u64) {
        let (index, episode) = (self.list.len(), &row.episode);
        let same_name = self.by_name.insert((episode.show.clone(), episode.slug.clone()), index);
        let same_path = self.by_path.insert((episode.host.clone(), episode.path.clone()), index);
        for (earlier, named) in [(same_name, true), (same_path, false)] {
            let Some(earlier) = earlier.filter(|&earlier| self.list[earlier].take().is_some()) else {
                continue;
            };
            let line_before = self.lines[earlier];
            let fault = if named {
                Fault::RepeatedEpisode {
                    show: episode.show.clone(),
                    slug: episode.slug.clone(),
                    line: line_before,
                }
            } else {
                Fault::RepeatedPath { path: episode.path.clone(), line: line_before }
            };
            let place = Place::Line { line, column: None };
            self.problems.push(Problem { source: source.to_owned(), place, fault, cost: Cost::Earlier });
        }
        self.list.push(Some(row));
        self.lines.push(line);
    }

    fn into_catalog(self) -> CsvCatalog {
        CsvCatalog { rows: self.list.into_iter().flatten().collect(), problems: self.problems }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "show,episode,path,bytes,duration_s,published_at,audio_start\n";

    fn read(text: &str) -> CsvCatalog {
        parse(text.as_bytes(), "c.csv", None).expect("a header")
    }

    fn episodes(text: &str) -> Vec<Episode> {
        read(text).rows.into_iter().map(|row| row.episode).collect()
    }

    fn problems(text: &str) -> Vec<String> {
        read(text).problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_full_row() {
        let text = "show,episode,path,bytes,duration_s,published_at,audio_start,title,show_title,host,guid,chapters\n\
                    go,1,/go/1.mp3,48000000,1834.5,2026-11-01T05:00:00Z,4096,\"One, two\",Go Time,CDN.example.com,g1,https://h/1.json\n";
        let expected = Episode {
            show: "go".into(),
            show_title: "Go Time".into(),
            slug: "1".into(),
            title: "One, two".into(),
            path: "/go/1.mp3".into(),
            host: Some("cdn.example.com".into()),
            size: Some(48_000_000),
            duration_ms: Some(1_834_500),
            audio_start: 4096,
            published_at: crate::units::Timestamp::from_seconds(1_793_509_200),
            chapters: None,
        };
        let chapters_at = Some("https://h/1.json".into());
        let rows = vec![CsvEpisode { episode: expected, chapters_at }];
        assert_eq!(read(text), CsvCatalog { rows, problems: vec![] });
    }

    #[test]
    fn what_is_missing_is_unknown() {
        let rows =
            ["go,1,/go/1.mp3", "go,1,/go/1.mp3,,,,", "go,1,/go/1.mp3,0,0,,0", " go , 1 ,go/1.mp3,0,00:00:00"];
        for row in rows {
            let catalog = read(&format!("{HEADER}{row}\n"));
            assert_eq!(catalog.problems, [], "{row}");
            let [CsvEpisode { episode, chapters_at: None }] = &catalog.rows[..] else {
                panic!("{row}: {:?}", catalog.rows)
            };
            assert_eq!((&*episode.show, &*episode.slug, &*episode.path), ("go", "1", "/go/1.mp3"), "{row}");
            let unknown = (episode.size, episode.duration_ms, episode.published_at, &episode.host);
            assert_eq!(unknown, (None, None, None, &None), "{row}");
            assert_eq!((episode.audio_start, &*episode.title), (0, ""), "{row}");
        }
    }

    #[test]
    fn columns_go_by_name() {
        let text =
            "\u{feff}Path,BYTES, episode ,colour,show\r\n/1.mp3,7,one,red,go\r\n,,,,\r\n\r\n/2.mp3,8,two,,go";
        let found = episodes(text);
        let found: Vec<_> = found.iter().map(|e| (&*e.show, &*e.slug, &*e.path, e.size)).collect();
        assert_eq!(found, [("go", "one", "/1.mp3", Some(7)), ("go", "two", "/2.mp3", Some(8))]);
    }

    #[test]
    fn each_problem_says_where_and_what_would_be_right() {
        for (row, expected) in [
            ("go,,/1.mp3", "episode is empty, but every episode needs one; the episode is left out"),
            (
                "go,1,/",
                "path \"/\" is no path; write it as it is served, such as /show/episode.mp3; the episode is left out",
            ),
            ("go,1,/1.mp3,many", "bytes \"many\" is no number of bytes; write digits only; taken as unknown"),
            (
                "go,1,/1.mp3,,soon",
                "duration_s \"soon\" is no duration; write seconds (1834 or 1834.5) or hh:mm:ss; taken as unknown",
            ),
            (
                "go,1,/1.mp3,,,soon",
                "published_at \"soon\" is no time; write RFC 3339, such as 2026-11-01T05:00:00Z; taken as unknown",
            ),
            (
                "go,1,/1.mp3,,,,-1",
                "audio_start \"-1\" is no number of bytes; write digits only; taken as unknown",
            ),
            (
                "go,1,/1.mp3,,,,,x",
                "has more fields than the header; a value that holds a comma needs quotes; the episode is left out",
            ),
            (
                "\"go,1,/1.mp3\ngo,2,/2.mp3",
                "show holds a line break or another control character; was a quote never closed?; the episode is left out",
            ),
        ] {
            assert_eq!(problems(&format!("{HEADER}{row}")), [format!("c.csv: line 2: {expected}")], "{row}");
        }
        let latin =
            parse(b"show,episode,path,title\ngo,1,/1.mp3,caf\xe9\ngo,2,/\xe9.mp3\n", "c.csv", None).unwrap();
        assert_eq!(latin.rows.len(), 1, "a bad title costs the title, a bad path the episode");
        assert!(latin.problems.iter().all(|problem| problem.fault == Fault::NotUtf8), "{:?}", latin.problems);
    }

    #[test]
    fn files_of_chapters_are_beside_the_csv() {
        let text = "show,episode,path,chapters\ngo,1,/1.mp3,1.json\n";
        let at = |folder| {
            let CsvCatalog { rows, problems } = parse(text.as_bytes(), "c.csv", folder).unwrap();
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            (rows[0].chapters_at.clone(), problems)
        };
        assert_eq!(at(Some(Path::new("/etc"))), (Some("/etc/1.json".to_owned()), vec![]));
        let remote = "c.csv: line 2: chapters \"1.json\" is no URL of chapters; write https://host/path; taken as unknown";
        assert_eq!(
            at(None),
            (None, vec![remote.to_owned()]),
            "a CSV from elsewhere names no files of this machine"
        );
    }

    #[test]
    fn the_later_of_two_rows_holds() {
        let text = format!("{HEADER}go,1,/a.mp3,1\ngo,1,/b.mp3,2\njs,1,/b.mp3,3\njs,2,/c.mp3,4\n");
        let left: Vec<_> = episodes(&text).iter().map(|e| (e.show.clone(), e.size)).collect();
        assert_eq!(left, [("js".to_owned(), Some(3)), ("js".to_owned(), Some(4))]);
        assert_eq!(
            problems(&text),
            [
                "c.csv: line 3: names the episode go/1 of line 2 again; the later holds",
                "c.csv: line 4: has the path /b.mp3 of line 3 again; the later holds"
            ]
        );
        let hosts = "show,episode,path,host\ngo,1,/a.mp3,One.example:8443\ngo,2,/a.mp3,two.example\n";
        assert_eq!(episodes(hosts)[0].host.as_deref(), Some("one.example"), "as lines' hosts are compared");
        assert_eq!(
            (episodes(hosts).len(), problems(hosts).len()),
            (2, 0),
            "one path on two hosts is two files"
        );
    }

    #[test]
    fn without_a_header_nothing_is_read() {
        for (text, expected) in [
            ("", "c.csv: the first line has no column show"),
            ("go,1,/1.mp3\n", "c.csv: the first line has no column show"),
            ("show;episode;path\n", "c.csv: the first line has no column show"),
            ("show,episode\n", "c.csv: the first line has no column path"),
            ("show,episode,path,Path\n", "c.csv: the column path is named twice"),
        ] {
            let error = parse(text.as_bytes(), "c.csv", None).expect_err(text).to_string();
            assert!(error.starts_with(expected), "{text:?}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>, row: String) {
            let _ = parse(&bytes, "c.csv", None);
            let catalog = parse(format!("{HEADER}{row}\n").as_bytes(), "c.csv", None).unwrap();
            proptest::prop_assert!(catalog.rows.iter().all(|row| row.episode.path.starts_with('/') && row.episode.size != Some(0)));
        }
    }
}
