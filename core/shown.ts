/**
 * Text for people: what leaves the operator in a status, an Event, a warning, a denial or a log line. Names, paths and
 * errors in it come from manifests, other objects and other servers, so every place where text leaves calls this door
 * (docs/adr/0026). The twin of vault-env/internal/failure/text.go, held to it by the table vault-env/testdata/texts.json.
 */

// The rest is only counted.
const SHOWN = 3;
const LONGEST_PATH = 100;
const CUT = '…';

const PLAIN = /^[\u0020-\u007e]*$/;
// Controls (C0, DEL, C1), formats (bidirectional marks, zero widths, tags), separators of lines and paragraphs, lone
// surrogates, and whatever else a terminal or a browser draws nothing for.
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
const BREAK = /[\t-\r\u0085\u2028\u2029]/;
const REPLACEMENT = '\ufffd';

/**
 * Returns text as one line that shows all it holds: line breaks and tabs become spaces, other characters that hide or
 * move text become U+FFFD.
 *
 * @param most the longest text that is returned, in UTF-16 code units; what is cut off leaves an ellipsis
 */
export function shownText(text: string, most: number): string {
  if (text.length <= most) return visible(text);
  return `${visible(text.slice(0, beforePair(text, Math.max(0, most - CUT.length))))}${CUT}`;
}

/** The same in bytes of UTF-8, for what an API bounds in bytes. */
export function shownBytes(text: string, most: number): string {
  // two code units may become one byte, so of more than these some cannot be shown
  const line = visible(text.slice(0, 2 * most + 2));
  if (line.length * 3 <= most || Buffer.byteLength(line) <= most) return line;
  const bytes = Buffer.from(line);
  let end = most - Buffer.byteLength(CUT);
  // what follows must begin a character
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return `${bytes.toString('utf8', 0, end)}${CUT}`;
}

/** Returns the first three of the texts, and how many more there are. */
export function listed(texts: readonly string[]): string {
  const more = texts.length - SHOWN;
  return `${texts.slice(0, SHOWN).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** Returns a name or a path inside of a sentence of ours: as it is shown, or the beginning of a very long one. */
export function shortened(path: string): string {
  return shownText(path, LONGEST_PATH + CUT.length);
}

function visible(text: string): string {
  if (PLAIN.test(text)) return text;
  return text.replace(HIDDEN, (found) => (BREAK.test(found) ? ' ' : REPLACEMENT));
}

/** Returns `at`, or the place before it if that is in the middle of a character. */
function beforePair(text: string, at: number): number {
  const code = at > 0 ? text.charCodeAt(at - 1) : 0;
  const isHigh = code >= 0xd800 && code <= 0xdbff;
  const next = text.charCodeAt(at);
  return isHigh && next >= 0xdc00 && next <= 0xdfff ? at - 1 : at;
}
