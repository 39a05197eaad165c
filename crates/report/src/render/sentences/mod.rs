//! Every sentence that people read, one module per subject. Types of the analysis are written by their `Display`.

pub(crate) mod bill;
pub(crate) mod capacity;
mod capacity_quality;
mod comparison;
pub(crate) mod first_to_give;
pub(crate) mod heard;
pub(crate) mod judging;
pub(crate) mod paired;
pub(crate) mod quality;
pub(crate) mod rules;
pub(crate) mod session;
pub(crate) mod soak;
pub(crate) mod threshold;
mod validity;

/// `1 run`, `2 runs`.
pub fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// `a`, `a and b`, `a, b and c`.
pub fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}

/// The sentence with its first letter in upper case.
pub(crate) fn capitalised(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_any_length_reads_as_a_sentence() {
        let items = ["a", "b", "c"].map(str::to_owned);
        let lists: Vec<String> = (0..=3).map(|count| listed(&items[..count])).collect();
        assert_eq!(lists, ["", "a", "a and b", "a, b and c"]);
    }
}
