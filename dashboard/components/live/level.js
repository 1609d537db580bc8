// Sound levels on a bar.

const MIN_LEVEL_DBFS = -60; // an empty bar; 0 dBFS fills it

/** Filled share of a level bar, 0 to 1; an unknown level (null) leaves it empty. */
export function levelShare(dbfs) {
  return dbfs === null ? 0 : Math.min(Math.max(1 - dbfs / MIN_LEVEL_DBFS, 0), 1);
}
