/** The items of a list as people write it: separated by commas; blanks around an item and empty items do not count. */
export function readList(text: string): readonly string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
