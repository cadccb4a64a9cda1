//! INSERT, UPDATE and DELETE over a sharded table.

use crate::sandbox::sql::{Expr, Insert, Source, SqlError, Value, evaluate, select};

use super::World;
use super::answer::{Outcome, Stop};
use super::data::{Change, Table};
use super::eval_context::EvalContext;
use super::instance::DiskId;
use super::rows::fit;
use super::session::{SessionId, Write};

impl World {
    pub(super) fn insert(context: &mut EvalContext<'_>, insert: &Insert) -> Result<Outcome, Stop> {
        let (id, disk, now) = (context.session, context.disk, context.now);
        let table = context.world.table(disk, &insert.table)?;
        context.world.use_table(id, disk, &insert.table)?;
        let targets: Vec<usize> = if insert.columns.is_empty() {
            (0..table.columns.len()).collect()
        } else {
            insert.columns.iter().map(|name| table.column(name)).collect::<Result<_, _>>()?
        };
        let mut writes: Vec<Write> = Vec::new();
        let mut count = 0;
        for values in context.source_rows(&insert.source)? {
            if values.len() > targets.len() {
                return Err(SqlError::syntax("INSERT has more expressions than target columns").into());
            }
            let mut row = vec![Value::Null; table.columns.len()];
            for (target, value) in targets.iter().zip(&values) {
                row[*target] = fit(value, table.columns[*target].1)?;
            }
            let node = table.node_of(&row[table.shard_by]).map(str::to_owned);
            let places = context.world.places(context.session, disk, &table, node.as_deref())?;
            let Some(place) = places.first().copied() else {
                return Err(SqlError::new("XX000", "no datanode for this row").into());
            };
            let Some(key) = context.world.free_key(id, place, &table, &row, &writes)? else {
                if insert.skip_conflicts {
                    continue;
                }
                return Err(duplicate(&table, &row).into());
            };
            let change = Change::Put { table: table.name.clone(), key, row };
            writes.push(context.world.write_at(place, change, "INSERT")?);
            count += 1;
        }
        context.world.finish(id, writes, "INSERT", Some(count), now)
    }

    /// The key a new row gets: its primary key, or the next number; none if that key is taken.
    fn free_key(
        &self,
        id: SessionId,
        place: DiskId,
        table: &Table,
        row: &[Value],
        writes: &[Write],
    ) -> Result<Option<i64>, SqlError> {
        let stored = self.postgres.get(&place).and_then(|copy| copy.data.tables.get(&table.name));
        let open = self.sessions.get(&id).and_then(|session| session.transaction.as_ref());
        let pending = open.iter().flat_map(|open| &open.remote).chain(writes);
        let mut latest = stored.and_then(|stored| stored.rows.keys().next_back().copied()).unwrap_or(0);
        let wanted = match table.primary_key.and_then(|index| row.get(index)) {
            Some(Value::Int(key)) => Some(*key),
            Some(_) => return Err(SqlError::unsupported("a primary key that is no number")),
            None => None,
        };
        let mut taken = wanted.is_some_and(|key| stored.is_some_and(|stored| stored.rows.contains_key(&key)));
        for write in pending.filter(|write| write.disk == place) {
            match &write.change {
                Change::Put { table: name, key, .. } if *name == table.name => {
                    latest = latest.max(*key);
                    taken |= wanted == Some(*key);
                }
                Change::Remove { table: name, key } if *name == table.name => taken &= wanted != Some(*key),
                _ => {}
            }
        }
        Ok(match wanted {
            Some(key) => (!taken).then_some(key),
            None => Some(latest + 1),
        })
    }

    /// UPDATE, or DELETE where `assignments` is none.
    pub(super) fn modify(
        context: &mut EvalContext<'_>,
        name: &str,
        assignments: Option<&[(String, Expr)]>,
        filter: Option<&Expr>,
    ) -> Result<Outcome, Stop> {
        let (id, disk, now) = (context.session, context.disk, context.now);
        let tag = if assignments.is_some() { "UPDATE" } else { "DELETE" };
        let table = context.world.table(disk, name)?;
        context.world.use_table(id, disk, name)?;
        let columns = table.relation_columns();
        let pin = match table.pinned(filter) {
            Some(expr) => Some(fit(&evaluate(expr, &[], &[], context)?, table.columns[table.shard_by].1)?),
            None => None,
        };
        let only = pin.and_then(|value| table.node_of(&value).map(str::to_owned));
        let mut writes = Vec::new();
        for held in context.world.held(id, disk, &table, only.as_deref())? {
            if let Some(filter) = filter
                && !evaluate(filter, &columns, &held.row, context)?.is_true()
            {
                continue;
            }
            let change = match assignments {
                None => Change::Remove { table: table.name.clone(), key: held.key },
                Some(assignments) => {
                    let mut row = held.row.clone();
                    for (column, expr) in assignments {
                        let index = table.column(column)?;
                        if index == table.shard_by || Some(index) == table.primary_key {
                            let text = format!(
                                "Distributed column or partition column \"{column}\" can't be updated in current version"
                            );
                            return Err(SqlError::new("0A000", text).into());
                        }
                        row[index] = fit(&evaluate(expr, &columns, &held.row, context)?, table.columns[index].1)?;
                    }
                    Change::Put { table: table.name.clone(), key: held.key, row }
                }
            };
            writes.push(context.world.write_at(held.disk, change, tag)?);
        }
        let count = writes.len();
        context.world.finish(id, writes, tag, Some(count), now)
    }
}

impl EvalContext<'_> {
    fn source_rows(&mut self, source: &Source) -> Result<Vec<Vec<Value>>, Stop> {
        match source {
            Source::Query(query) => {
                let rows = select(query, self).map(|relation| relation.rows);
                rows.map_err(|error| self.stopped(error))
            }
            Source::Values(rows) => {
                let mut values = Vec::new();
                for row in rows {
                    values.push(row.iter().map(|expr| evaluate(expr, &[], &[], self)).collect::<Result<_, _>>()?);
                }
                Ok(values)
            }
        }
    }
}

fn duplicate(table: &Table, row: &[Value]) -> SqlError {
    let index = table.primary_key.unwrap_or(0);
    let column = &table.columns[index].0;
    let value = row[index].to_text().unwrap_or_default();
    SqlError::new("23505", format!("duplicate key value violates unique constraint \"{}_pkey\"", table.name))
        .detail(format!("Key ({column})=({value}) already exists."))
}
