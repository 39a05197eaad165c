//! JSON from the service, with a bound on what it becomes in memory, and with ids as they were written.

use serde_json::Value;

/// Why an answer is not used: it …
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// It is not JSON.
    #[error("is not JSON")]
    Syntax(#[from] serde_json::Error),
    /// It has more values than the question can have answers: a megabyte of `{},` becomes hundreds in memory.
    #[error("has more than {0} values")]
    TooManyValues(usize),
}

/// Parses JSON of at most `max_values` values. A whole number above 2^64, such as an id, becomes a text, because no number
/// here could hold it.
///
/// # Errors
/// If it is not JSON, or has more values.
pub fn parse_json(bytes: &[u8], max_values: usize) -> Result<Value, JsonError> {
    let large = scan(bytes, max_values).ok_or(JsonError::TooManyValues(max_values))?;
    if large.is_empty() {
        return Ok(serde_json::from_slice(bytes)?);
    }
    let mut quoted = Vec::with_capacity(bytes.len() + 2 * large.len());
    let mut copied = 0;
    for (start, end) in large {
        quoted.extend_from_slice(&bytes[copied..start]);
        quoted.push(b'"');
        quoted.extend_from_slice(&bytes[start..end]);
        quoted.push(b'"');
        copied = end;
    }
    quoted.extend_from_slice(&bytes[copied..]);
    Ok(serde_json::from_slice(&quoted)?)
}

/// Where whole numbers are that 64 bits cannot hold; `None` where there are more than `max_values` values.
fn scan(bytes: &[u8], max_values: usize) -> Option<Vec<(usize, usize)>> {
    let (mut large, mut values, mut at) = (Vec::new(), 1, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = end_of_text(bytes, at + 1),
            b',' | b'{' | b'[' | b':' => {
                values += 1;
                at += 1;
                if values > max_values {
                    return None;
                }
            }
            b'0'..=b'9' | b'-' => {
                let is_of_number =
                    |byte: &&u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                let end = at + bytes[at..].iter().take_while(is_of_number).count();
                let digits = bytes[at..end].strip_prefix(b"-").unwrap_or(&bytes[at..end]);
                let is_whole = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
                let text = std::str::from_utf8(&bytes[at..end]).unwrap_or_default();
                if is_whole && text.parse::<u64>().is_err() && text.parse::<i64>().is_err() {
                    large.push((at, end));
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    Some(large)
}

/// Behind the closing quote of a text that begins at `at`.
fn end_of_text(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_above_64_bits_stays_as_it_was_written() {
        let text = r#"{"id":184467440737095516150,"n":18446744073709551615,"x":-7,"f":1.5e3,"s":"99999999999999999999 \" 1"}"#;
        let parsed = parse_json(text.as_bytes(), 100).unwrap();
        assert_eq!(parsed["id"], "184467440737095516150");
        assert_eq!(parsed["n"], u64::MAX);
        assert_eq!((&parsed["x"], &parsed["f"]), (&Value::from(-7), &Value::from(1500.0)));
        assert_eq!(parsed["s"], "99999999999999999999 \" 1");
        for invalid in ["-", "--1", "1-2", "\"", "\"\\", "{", "[1,", "-99999999999999999999-"] {
            assert!(
                matches!(parse_json(invalid.as_bytes(), 9), Err(JsonError::Syntax(_))),
                "{invalid}"
            );
        }
    }

    #[test]
    fn an_answer_of_millions_of_values_is_refused_before_it_is_parsed() {
        let text = format!("[{}0]", "{\"a\":0},".repeat(2_000_000));
        assert!(matches!(parse_json(text.as_bytes(), 1_000), Err(JsonError::TooManyValues(1_000))));
        assert!(parse_json(b"[1,2,3]", 5).is_ok());
        // Words are not counted.
        assert!(parse_json(format!("\"{}\"", ",{[".repeat(1_000)).as_bytes(), 5).is_ok());
    }
}
