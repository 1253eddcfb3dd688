import { asList, asObject, asString } from '../../core/json.ts';
import type { ApiClient } from '../../kube/api-client.ts';
import { describeError } from '../../kube/errors.ts';
import { ApiError } from '../../kube/object-client.ts';
import type { Context } from './context.ts';

// Policies wait for the answer, once.
const ISSUER_MS = 5_000;
const AGAIN_MS = 30_000;

export type ApiAudiencesOptions = Pick<Context, 'kubeConfig' | 'logger' | 'clock'> & {
  readonly clientWithin: (timeoutMs: number) => Pick<ApiClient, 'issuer'>;
  /** Called when `known` has become more after the start. */
  readonly onChange: () => void;
};

/**
 * The audiences that the API server accepts, as far as they are known: those of the token that the operator itself uses
 * there, if that is a JWT such as a ServiceAccount's, and the issuer of ServiceAccount tokens. The token alone may be of
 * another issuer (OIDC), with an audience that says nothing about pods.
 */
export class ApiAudiences {
  readonly #options: ApiAudiencesOptions;
  readonly #stopped = new AbortController();
  known: readonly string[] = [];

  constructor(options: ApiAudiencesOptions) {
    this.#options = options;
  }

  /** Finds out, and goes on until it has. Never rejects: what needs credentials or the API server says itself why not. */
  async start(): Promise<void> {
    if (await this.#look()) return;
    this.#options.logger.warn({}, 'not all audiences of the API server are known yet');
    void this.#goOn();
  }

  stop(): void {
    this.#stopped.abort();
  }

  async #goOn(): Promise<void> {
    const { clock, onChange } = this.#options;
    const { signal } = this.#stopped;
    do await clock.sleep(AGAIN_MS, signal);
    while (!signal.aborted && !(await this.#look()));
    if (!signal.aborted) onChange();
  }

  /** Returns whether the API server has told its issuer, or that it tells none. */
  async #look(): Promise<boolean> {
    const { kubeConfig, clientWithin, logger } = this.#options;
    try {
      const { headers } = await kubeConfig.connection();
      const own = audiencesOf(headers);
      this.known = [...new Set([...this.known, ...own])];
      const issuer = await clientWithin(ISSUER_MS).issuer();
      this.known = [...new Set([...own, ...(issuer === undefined ? [] : [issuer])])];
      return true;
    } catch (error) {
      // it has no such document, or does not show it to this account: the token has to do
      if (error instanceof ApiError && (error.code === 404 || error.code === 403)) return true;
      logger.debug({ error: describeError(error) }, 'the issuer of tokens is not known');
      return false;
    }
  }
}

/** Returns the audiences of a bearer token; none if it is no JWT. */
export function audiencesOf(headers: Readonly<Record<string, string>>): readonly string[] {
  const authorization = Object.entries(headers).find(([name]) => name.toLowerCase() === 'authorization')?.[1];
  const [, payload] = /^Bearer [^.]+\.([^.]+)\.[^.]+$/.exec(authorization ?? '') ?? [];
  if (payload === undefined) return [];
  try {
    const { aud } = asObject(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))) ?? {};
    return (asList(aud) ?? [aud]).map(asString).filter((audience) => audience !== undefined);
  } catch {
    return []; // opaque
  }
}
