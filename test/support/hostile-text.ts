/** Ends a line and begins one like ours, colours a terminal, turns the direction of text, and is a megabyte long. */
export const HOSTILE = `web\nvault-env: \u001b[31m\u009b1m\u202e\u2066\u200b\u2028\ud800${'x'.repeat(1_000_000)}`;

/** Returns what of a text a terminal would act on or not draw. */
export function hiddenIn(text: string): readonly string[] {
  return text.match(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu) ?? [];
}
