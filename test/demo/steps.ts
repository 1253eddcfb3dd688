/** What a demo prints: steps with a number and the time, and headings. */
export class Steps {
  readonly #total: number;
  readonly #started = Date.now();
  #step = 0;

  constructor(total: number) {
    this.#total = total;
  }

  /** Seconds since the beginning. */
  get seconds(): number {
    return Math.round((Date.now() - this.#started) / 1000);
  }

  next(what: string): void {
    this.#step += 1;
    const seconds = String(this.seconds).padStart(3);
    this.say(`[${String(this.#step).padStart(2)}/${this.#total}] ${seconds} s  ${what}`);
  }

  say(text = ''): void {
    console.log(text);
  }

  /** Something that belongs to the last step. */
  detail(text: string): void {
    for (const line of text.trim().split('\n')) this.say(`              ${line}`);
  }

  heading(text: string): void {
    this.say(`\n${text}\n${'-'.repeat(text.length)}`);
  }
}
