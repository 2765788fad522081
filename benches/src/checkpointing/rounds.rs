//! Figures of interleaved rounds.

/// What each thing came to in each round.
#[derive(Debug, Default)]
pub struct Rounds {
    rows: Vec<(String, Vec<f64>)>,
}

impl Rounds {
    /// What one thing came to in this round: once a round for each.
    pub fn add(&mut self, name: impl Into<String>, value: f64) {
        let name = name.into();
        match self.rows.iter_mut().find(|row| row.0 == name) {
            Some(row) => row.1.push(value),
            None => self.rows.push((name, vec![value])),
        }
    }

    /// Median, least and greatest of a thing.
    pub fn of(&self, name: &str) -> [f64; 3] {
        spread(self.values(name).to_vec())
    }

    /// The same of the ratio of two, taken in every round.
    pub fn ratio(&self, name: &str, to: &str) -> [f64; 3] {
        spread(self.values(name).iter().zip(self.values(to)).map(|(one, other)| one / other).collect())
    }

    /// Of these, the one that has the greatest median.
    pub fn greatest<'a>(&self, names: &[&'a str]) -> &'a str {
        let by_median = |name: &&&str, other: &&&str| self.of(name)[0].total_cmp(&self.of(other)[0]);
        names.iter().max_by(by_median).expect("there are some")
    }

    fn values(&self, name: &str) -> &[f64] {
        let row = self.rows.iter().find(|row| row.0 == name);
        &row.unwrap_or_else(|| panic!("nothing was measured: {name}")).1
    }
}

/// What so much of sorted values lies at or below.
pub fn quantile<T: Copy>(sorted: &[T], share: f64) -> T {
    let at = (sorted.len() as f64 * share) as usize;
    sorted[at.min(sorted.len() - 1)]
}

fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [quantile(&values, 0.5), values[0], values[values.len() - 1]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_in_each_round() {
        let mut rounds = Rounds::default();
        for (ours, theirs) in [(10.0, 20.0), (30.0, 30.0), (8.0, 4.0)] {
            rounds.add("ours", ours);
            rounds.add("theirs", theirs);
        }
        assert_eq!(rounds.of("ours"), [10.0, 8.0, 30.0]);
        assert_eq!(rounds.ratio("ours", "theirs"), [1.0, 0.5, 2.0]);
        assert_eq!(rounds.greatest(&["ours", "theirs"]), "theirs");
        assert_eq!(quantile(&[1, 2, 3, 4], 0.99), 4);
    }
}
