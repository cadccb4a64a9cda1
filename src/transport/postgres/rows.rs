//! The answer to one statement, as text.

/// Rows with their column names. NULL and a missing column both read as `None`; [`Rows::has`] separates them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    columns: Vec<String>,
    rows: Vec<Vec<Option<String>>>,
}

impl Rows {
    pub(super) fn start(&mut self, columns: Vec<String>) {
        self.columns = columns;
        self.rows.clear();
    }

    pub(super) fn push(&mut self, values: Vec<Option<String>>) {
        self.rows.push(values);
    }

    /// Rows from values, as a server would send them: for tests of those who read rows.
    pub fn of(columns: &[&str], values: &[&[Option<&str>]]) -> Self {
        let row = |row: &&[Option<&str>]| row.iter().map(|value| value.map(str::to_owned)).collect();
        Self { columns: columns.iter().map(|&name| name.to_owned()).collect(), rows: values.iter().map(row).collect() }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether the answer has a column of that name.
    pub fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|name| name == column)
    }

    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|values| Row { columns: &self.columns, values })
    }

    pub fn first(&self) -> Option<Row<'_>> {
        self.iter().next()
    }

    /// The first column of the first row: what `SHOW x` and `select f()` answer.
    pub fn single(&self) -> Option<&str> {
        self.rows.first()?.first()?.as_deref()
    }
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    columns: &'a [String],
    values: &'a [Option<String>],
}

impl<'a> Row<'a> {
    pub fn get(&self, column: &str) -> Option<&'a str> {
        let index = self.columns.iter().position(|name| name == column)?;
        self.values.get(index)?.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name() {
        let mut rows = Rows::default();
        rows.start(vec!["a".into(), "b".into()]);
        rows.push(vec![Some("1".into()), None]);
        let row = rows.first().unwrap();
        assert_eq!((row.get("a"), row.get("b"), row.get("c")), (Some("1"), None, None));
        assert_eq!((rows.single(), rows.len(), rows.has("b"), rows.has("c")), (Some("1"), 1, true, false));
    }
}
