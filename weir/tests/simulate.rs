//! `weir simulate`, as CI runs it.

use std::process::{Command, Output};

fn simulate(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_weir")).arg("simulate").args(args).output().expect("weir runs")
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

/// The number before `what` in the summary.
fn counted(summary: &str, what: &str) -> u64 {
    let words: Vec<&str> = summary.split([' ', ',', ':']).filter(|word| !word.is_empty()).collect();
    let at = words.iter().position(|word| *word == what).unwrap_or_else(|| panic!("no {what} in: {summary}"));
    words[at - 1].parse().expect("a number")
}

#[test]
fn random_sales_with_crashes_hold_every_invariant_and_sell_something() {
    let output = simulate(&["--seeds", "24"]);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    let summary = said.lines().last().expect("a summary");
    assert_eq!((counted(summary, "seeds"), counted(summary, "failed")), (24, 0));
    for what in ["steps", "crashes", "joins", "admissions", "holds", "confirmations"] {
        assert!(counted(summary, what) > 0, "{summary}");
    }
}

#[test]
fn a_seed_replays_exactly_whatever_runs_beside_it() {
    let alone = text(&simulate(&["--seed", "7", "--verbose"]));
    let among_others = text(&simulate(&["--from", "6", "--seeds", "4", "--verbose"]));
    let told = alone.lines().next().expect("what it came to");
    assert!(told.starts_with("seed 7: "), "{alone}");
    assert!(among_others.lines().any(|line| line == told), "{told}\nis not in\n{among_others}");
}

#[test]
fn one_seed_and_a_range_of_seeds_do_not_go_together() {
    let output = simulate(&["--seed", "7", "--from", "1"]);
    assert_eq!(output.status.code(), Some(2));
}
