use super::*;

const HOSTILE: &str = "a|b <img> [x](y) @all #1 `c`\n- http://d \u{202e}";

fn table() -> Table<'static, (&'static str, u64)> {
    let seconds = |n: u64| Number::new(n as f64 * 1e6, Unit::Micros);
    let took = move |row: &(&str, u64)| match row.1 {
        0 => Cell::missing("n/a (needs 72)"),
        n => Cell::interval(seconds(n), seconds(n - 1), seconds(n + 1)),
    };
    let columns = [
        Column::text("name", |row: &(&str, u64)| Cell::foreign(row.0)).and_csv("name"),
        Column::number("took", took),
        Column::csv("took_us", |row: &(&str, u64)| match row.1 {
            0 => Cell::absent(),
            n => Cell::number(Number::new(n as f64 * 1e6, Unit::Micros)),
        }),
        Column::text("verdict", |row: &(&str, u64)| match row.1 {
            0 => Cell::verdict(Tone::Open, "not enough data").with_asides([Aside::note("why")]),
            _ => Cell::verdict(Tone::Bad, "failed"),
        }),
    ];
    Table::new(columns).with_rows([("ask", 3), (HOSTILE, 0)])
}

#[test]
fn text_is_aligned_and_has_no_control_characters() {
    let lines = table().text(Style::Plain);
    assert_eq!(
        lines[0].find("took").map(|at| at + 4),
        lines[1].find("[2.00s, 4.00s]").map(|at| at + 14)
    );
    assert_eq!(lines[0].find("verdict"), lines[1].find("failed"));
    assert!(lines[2].ends_with("n/a (needs 72)  not enough data; why"), "{}", lines[2]);
    assert!(!lines.concat().contains(['\n', '\u{202e}']));
    assert!(table().text(Style::Colours)[1].ends_with("\u{1b}[31mfailed\u{1b}[0m"));
}

#[test]
fn markdown_keeps_its_columns_and_shows_text_from_outside_unchanged() {
    let markdown = table().markdown();
    for line in markdown.lines() {
        assert_eq!(line.replace("\\|", "").matches('|').count(), 4, "{line}");
    }
    assert!(
        markdown.starts_with("| name | took | verdict |\n| --- | ---: | --- |\n"),
        "{markdown}"
    );
    assert!(markdown.contains("| 3.00s [2.00s, 4.00s] | **failed** |"), "{markdown}");
    assert_eq!(
        escaped("a|b <img> ![x](y) @all #1 `c`\n- http://d _e_ f_g"),
        "a\\|b &lt;img&gt; !\\[x\\](y) &#64;all &#35;1 \\`c\\` - http&#58;//d \\_e\\_ f_g"
    );
}

#[test]
fn html_escapes_and_marks_numbers_and_verdicts() {
    let html = table().html(Frame::Whole).into_string();
    assert!(html.contains("<th scope=\"row\"><bdi>a|b &lt;img&gt;"), "{html}");
    assert!(html.contains("<td class=\"number\">3.00s<span class=\"interval\"> [2.00s, 4.00s]"));
    assert!(html.contains("<span class=\"verdict failed\">✗ failed</span>"), "{html}");
    assert!(html.contains("<div class=\"aside\">why</div>"), "{html}");
}

#[test]
fn csv_has_its_own_columns_and_raw_numbers() {
    let mut bytes = Vec::new();
    table().csv(&mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with("name,took_us\nask,3000000\n"), "{text}");
    assert!(text.ends_with(",\n"), "an absent number is empty: {text}");
}

#[test]
fn rows_headings_and_notes_appear_in_their_formats_only() {
    let mut table = table();
    table.push_heading("others", Formats::TEXT);
    table.push_only(("hidden", 1), Formats::CSV);
    table.push_note("a note", Formats::HTML);
    let text = table.text(Style::Plain).join("\n");
    assert!(text.contains("\nothers") && !text.contains("hidden") && !text.contains("a note"));
    assert!(text.contains("\n  ask"), "rows are indented below headings: {text}");
    let html = table.html(Frame::None).into_string();
    assert!(html.contains("<td class=\"aside\" colspan=\"2\">a note</td>"), "{html}");
    assert!(!html.contains("others") && !html.contains("hidden"));
}

#[test]
fn numbers_are_shown_in_their_unit() {
    let shown = |value: f64, unit| Number::new(value, unit).to_string();
    assert_eq!(shown(312_400.0, Unit::Micros), "312ms");
    assert_eq!(shown(0.012, Unit::Percent(2)), "1.20 %");
    assert_eq!(shown(0.0138, Unit::Usd), "0.0138 USD");
    assert_eq!(shown(2.0, Unit::Usd), "2.00 USD");
    assert_eq!(shown(12.34, Unit::Ratio), "12");
    assert_eq!(Number::new(-0.0107, Unit::Usd).signed().to_string(), "-0.0107 USD");
    assert_eq!(Number::new(0.061, Unit::Points).to_string(), "+6.1");
}
