/** Two texts line by line: what has gone ("-"), what has come ("+"), with some lines around. */
const AROUND = 2;

export function lineDiff(before: string, after: string): readonly string[] {
  const [a, b] = [before.split("\n"), after.split("\n")];
  // Longest common subsequence; the texts are files that a person reads.
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      lengths[i]![j] = a[i] === b[j] ? lengths[i + 1]![j + 1]! + 1 : Math.max(lengths[i + 1]![j]!, lengths[i]![j + 1]!);
  const all: string[] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      all.push(` ${a[i]}`);
      i++;
      j++;
    } else if (j === b.length || (i < a.length && lengths[i + 1]![j]! >= lengths[i]![j + 1]!)) all.push(`-${a[i++]}`);
    else all.push(`+${b[j++]}`);
  }
  const near = (i: number) => all.slice(Math.max(0, i - AROUND), i + AROUND + 1).some((line) => line[0] !== " ");
  return all.filter((_, i) => near(i));
}
