// Levels of audio on a bar.

const MIN_LEVEL_DBFS = -60; // level of an empty bar. 0 dBFS fills the bar.

/** Filled share of a level bar, 0 to 1. The bar of an unknown level (null) is empty. */
export function levelShare(dbfs) {
  return dbfs === null ? 0 : Math.min(Math.max(1 - dbfs / MIN_LEVEL_DBFS, 0), 1);
}
