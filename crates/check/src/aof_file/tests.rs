//! Whole runs of check-aof: lines, answers, exit codes and what becomes of the files.
//!
//! Expected lines were observed from redis-check-aof 7.0.15.

use super::*;

const SET: &[u8] = b"*3\r\n$3\r\nset\r\n$3\r\nfoo\r\n$5\r\nhello\r\n";
const MULTI: &[u8] = b"*1\r\n$5\r\nmulti\r\n";

/// A directory of its own that disappears with the test.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

impl Scratch {
    fn new(name: &str) -> Scratch {
        let name = format!("check-aof-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.0.join(name), bytes).unwrap();
    }

    fn get(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.join(name)).unwrap()
    }

    /// Success or not, and what was printed, with the directory left out. The last word is a file.
    fn run(&self, words: &[&str], answer: &str) -> (bool, String) {
        let (options, file) = words.split_at(words.len() - 1);
        let mut args: Vec<OsString> = options.iter().map(OsString::from).collect();
        args.push(self.0.join(file[0]).into());
        let (is_success, out, _) = output(&args, answer);
        let directory = format!("{}/", self.0.display());
        (is_success, out.replace(&directory, ""))
    }
}

fn output(args: &[OsString], answer: &str) -> (bool, String, String) {
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    let mut tool = Tool {
        options: Options::default(),
        out: &mut out,
        answers: &mut answer.as_bytes(),
        errors: &mut errors,
        report: RunReport::default(),
        lines: 1,
    };
    let is_success = tool.run(args).unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (is_success, text(out), text(errors))
}

fn manifest(names: &[&str]) -> Vec<u8> {
    let line = |(index, name): (usize, &&str)| {
        let kind = if name.contains("base") { 'b' } else { 'i' };
        format!("file {name} seq {} type {kind}\n", index + 1)
    };
    let lines: String = names.iter().enumerate().map(line).collect();
    lines.into_bytes()
}

/// An RDB file with one key, without checksum.
const RDB: &[u8] = b"REDIS0009\xfe\x00\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0";

#[test]
fn a_sound_file_is_a_success() {
    let scratch = Scratch::new("sound");
    scratch.put("a", SET);
    let expected = "Start checking Old-Style AOF\n\
                    AOF analyzed: filename=a, size=33, ok_up_to=33, ok_up_to_line=8, diff=0\n\
                    AOF a is valid\n";
    assert_eq!(scratch.run(&["a"], ""), (true, expected.to_string()));
    scratch.put("empty", b"");
    let expected = "Start checking Old-Style AOF\nAOF empty is empty\n";
    assert_eq!(scratch.run(&["empty"], ""), (true, expected.to_string()));
}

#[test]
fn a_broken_file_is_a_failure_with_its_place() {
    let scratch = Scratch::new("broken");
    let cases: &[(&[u8], &str, u64)] = &[
        (b"!!!", "AOF a format error\n", 8),
        (
            b"*3\r\n$3\r\nse",
            "0x              29: Expected to read 5 bytes, got 2 bytes\n",
            10,
        ),
        (
            b"*1\r\n$4\r\nexec\r\n",
            "0x              29: Unexpected EXEC in AOF a\n",
            11,
        ),
        (
            MULTI,
            "0x              29: Reached EOF before reading EXEC for MULTI\n",
            11,
        ),
        (b"*3\r\n", "", 9),
    ];
    for (rest, line, lines) in cases {
        let bytes = [SET, rest].concat();
        scratch.put("a", &bytes);
        let (size, diff) = (bytes.len(), rest.len());
        let expected = format!(
            "Start checking Old-Style AOF\n{line}\
             AOF analyzed: filename=a, size={size}, ok_up_to=33, ok_up_to_line={lines}, diff={diff}\n\
             AOF a is not valid. Use the --fix option to try fixing it.\n"
        );
        assert_eq!(scratch.run(&["a"], ""), (false, expected));
        assert_eq!(scratch.get("a"), bytes, "only --fix changes files");
    }
}

#[test]
fn a_fix_needs_a_yes() {
    let scratch = Scratch::new("fix");
    let bytes = [SET, MULTI, SET].concat();
    scratch.put("a", &bytes);
    for answer in ["", "n\n", "\n"] {
        let (is_success, out) = scratch.run(&["--fix", "a"], answer);
        assert!(!is_success);
        let end = "This will shrink the AOF a from 81 bytes, with 48 bytes, to 33 bytes\n\
                   Continue? [y/N]: Aborting...\n";
        assert!(out.ends_with(end), "{out}");
        assert_eq!(scratch.get("a"), bytes);
    }
    let (is_success, out) = scratch.run(&["--fix", "a"], "Y\n");
    assert!(is_success);
    assert!(out.ends_with("Continue? [y/N]: Successfully truncated AOF a\n"));
    assert_eq!(scratch.get("a"), SET);
    let (is_success, out) = scratch.run(&["--fix", "a"], "");
    assert!(is_success && out.ends_with("AOF a is valid\n"), "{out}");
}

#[test]
fn all_files_of_a_manifest_are_checked_but_only_the_last_is_cut() {
    let scratch = Scratch::new("manifest");
    let broken = [SET, b"!!!"].concat();
    scratch.put("m", &manifest(&["x.base", "x.incr", "y.incr"]));
    scratch.put("x.base", &[RDB, SET].concat());
    scratch.put("x.incr", SET);
    scratch.put("y.incr", &broken);
    let (is_success, out) = scratch.run(&["--fix", "m"], "y");
    let expected = "Start checking Multi Part AOF\n\
         Start to check BASE AOF (RDB format).\n\
         [offset 0] Checking RDB file x.base\n\
         [offset 11] Selecting DB ID 0\n\
         [offset 25] RDB file was saved with checksum disabled: no check performed.\n\
         [offset 25] \\o/ RDB looks OK! \\o/\n\
         [info] 1 keys read\n[info] 0 expires\n[info] 0 already expired\n\
         RDB preamble is OK, proceeding with AOF tail...\n\
         AOF analyzed: filename=x.base, size=58, ok_up_to=58, ok_up_to_line=8, diff=0\n\
         BASE AOF x.base is valid\n\
         Start to check INCR files.\n\
         AOF analyzed: filename=x.incr, size=33, ok_up_to=33, ok_up_to_line=15, diff=0\n\
         INCR AOF x.incr is valid\n\
         AOF y.incr format error\n\
         AOF analyzed: filename=y.incr, size=36, ok_up_to=33, ok_up_to_line=22, diff=3\n\
         This will shrink the AOF y.incr from 36 bytes, with 3 bytes, to 33 bytes\n\
         Continue? [y/N]: Successfully truncated AOF y.incr\n\
         All AOF files and manifest are valid\n";
    assert_eq!((is_success, out.as_str()), (true, expected));
    assert_eq!(scratch.get("y.incr"), SET);

    scratch.put("x.incr", &broken);
    let (is_success, out) = scratch.run(&["--fix", "m"], "y");
    let end = "Failed to truncate AOF x.incr because it is not the last file\n";
    assert!(!is_success && out.ends_with(end), "{out}");
    assert_eq!(scratch.get("x.incr"), broken);

    std::fs::remove_file(scratch.0.join("x.incr")).unwrap();
    let (is_success, out) = scratch.run(&["m"], "");
    let end = "Cannot open file x.incr: No such file or directory, aborting...\n";
    assert!(!is_success && out.ends_with(end), "{out}");
}

#[test]
fn a_broken_manifest_is_told_from_a_broken_file() {
    let scratch = Scratch::new("format");
    scratch.put("m", &[&manifest(&["x.base"])[..], b"!!!\n"].concat());
    let (is_success, out) = scratch.run(&["m"], "");
    assert!(!is_success);
    assert!(
        out.contains("Reading the manifest file, at line 2"),
        "{out}"
    );
    assert!(out.ends_with("Invalid AOF manifest file format\n"), "{out}");
    let odd = b"*2\r\n$3\r\nget\r\n$32\r\nfile appendonly.aof.2.base.rdb s\r\n";
    scratch.put("a", odd);
    let (is_success, out) = scratch.run(&["a"], "");
    assert!(
        is_success && out.starts_with("Start checking Old-Style"),
        "{out}"
    );
}

#[test]
fn a_broken_rdb_part_ends_the_check() {
    let scratch = Scratch::new("rdb");
    scratch.put("a", &RDB[..15]);
    let (is_success, out) = scratch.run(&["--fix", "a"], "y");
    assert!(!is_success);
    assert!(out.contains("--- RDB ERROR DETECTED ---\n"), "{out}");
    let end = "RDB preamble of AOF file is not sane, aborting.\n";
    assert!(out.ends_with(end), "{out}");
    assert_eq!(scratch.get("a"), &RDB[..15]);
}

#[test]
fn a_file_is_cut_where_a_time_is_over() {
    let scratch = Scratch::new("time");
    let bytes = [b"#TS:100\r\n", SET, b"#TS:102\r\n", SET].concat();
    for (to, kept, end) in [
        (
            "99",
            84,
            "AOF a has nothing before timestamp 99, aborting...\n",
        ),
        ("100", 42, "Successfully truncated AOF a to timestamp 100\n"),
        ("101", 42, "Successfully truncated AOF a to timestamp 101\n"),
        (
            "102",
            84,
            "Truncate nothing in AOF a to timestamp 102\nAOF a is valid\n",
        ),
        ("abc", 84, "Invalid timestamp, aborting...\n"),
    ] {
        scratch.put("a", &bytes);
        let (is_success, out) = scratch.run(&["--truncate-to-timestamp", to, "a"], "");
        assert_eq!(is_success, !end.contains("aborting"), "{out}");
        assert!(out.ends_with(end), "{out}");
        assert_eq!(scratch.get("a"), &bytes[..kept]);
    }
    scratch.put("m", &manifest(&["x.base", "x.incr"]));
    scratch.put("x.base", &bytes);
    scratch.put("x.incr", SET);
    let (is_success, out) = scratch.run(&["--truncate-to-timestamp", "101", "m"], "");
    let line = "Failed to truncate AOF x.base to timestamp 101 to offset 42 because it is not the \
                last file.\nIf you insist, ";
    assert!(!is_success && out.contains(line), "{out}");
    assert_eq!(scratch.get("x.base"), bytes);
}

#[test]
fn json_takes_the_place_of_the_lines() {
    let scratch = Scratch::new("json");
    scratch.put("a", &[SET, b"!!!"].concat());
    let file = "{\"name\":\"a\",\"type\":\"aof\",\"format\":\"resp\",\"size\":36,\"ok_up_to\":33,\
                \"commands\":1,\"annotations\":0,\"status\":\"not-valid\",\
                \"error\":{\"offset\":33,\"reason\":\"format error\"}}";
    let error = "AOF a is not valid. Use the --fix option to try fixing it.";
    let expected = format!(
        "{{\"file\":\"a\",\"ok\":false,\"multi_part\":false,\"files\":[{file}],\"error\":\"{error}\"}}\n"
    );
    assert_eq!(scratch.run(&["--json", "a"], ""), (false, expected));
    let (is_success, out) = scratch.run(&["--json", "--fix", "a"], "y");
    assert!(
        is_success && out.contains("\"status\":\"truncated\""),
        "{out}"
    );
    assert_eq!(out.lines().count(), 1, "the prompt is elsewhere");
}

#[test]
fn arguments_that_make_no_sense_are_a_failure_with_the_usage() {
    let args = |texts: &[&str]| texts.iter().map(OsString::from).collect::<Vec<_>>();
    for texts in [
        &[][..],
        &["--x", "a"],
        &["a", "b", "c"],
        &["1", "2", "3", "4"],
    ] {
        let (is_success, out, _) = output(&args(texts), "");
        assert_eq!((is_success, out.as_str()), (false, USAGE));
    }
    let (is_success, out, _) = output(&args(&["/nowhere/a"]), "");
    let expected = "Cannot open file /nowhere/a: No such file or directory\n";
    assert_eq!((is_success, out.as_str()), (false, expected));
    let (is_success, out, _) = output(&args(&["/tmp"]), "");
    assert_eq!(
        (is_success, out.as_str()),
        (false, "Cannot read file: /tmp\n")
    );
}
