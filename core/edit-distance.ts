/**
 * The Levenshtein distance: insertions, deletions and replacements that turn `a` into `b`. Where there are more than
 * `most`, it stops as soon as that is sure, and returns a number above `most`.
 */
export function editDistance(a: string, b: string, most = Infinity): number {
  if (Math.abs(a.length - b.length) > most) return Infinity;
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const previous = row;
    let least = i;
    row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const distance = Math.min(replaced, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
      row.push(distance);
      if (distance < least) least = distance;
    }
    if (least > most) return Infinity;
  }
  return row[b.length] ?? 0;
}

// Longer than any name here, and bounds the time that somebody's text can take.
const LONGEST = 64;

/**
 * Returns the known name that is most likely meant by `written`; undefined if none is like it. Up to a third of its
 * letters wrong, and always two, are typos; more is another word. Of several that are equally near it is the first.
 */
export function nearestOf(written: string, known: readonly string[]): string | undefined {
  const text = written.slice(0, LONGEST);
  let nearest: string | undefined;
  let least = Infinity;
  for (const name of known) {
    const most = Math.max(2, Math.floor(name.length / 3));
    const distance = editDistance(text, name, most);
    if (distance > most || distance >= least) continue;
    least = distance;
    nearest = name;
  }
  return nearest;
}
