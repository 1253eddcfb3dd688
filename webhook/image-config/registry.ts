/** From an image's name to its ENTRYPOINT and CMD: the pull side of OCI's distribution protocol, without layers. */
import type { Clock } from '../../kube/clock.ts';
import type { EntryPoint } from '../../core/injection/images.ts';
import { authorize } from './authorization.ts';
import { parseChallenges } from './challenge.ts';
import type { Challenge } from './challenge.ts';
import type { Credential } from './docker-config.ts';
import { ImageFailure } from './failure.ts';
import type { Reply, Send } from './http.ts';
import { Lru } from '../lru.ts';
import { ACCEPTED_MANIFESTS, digestLike, readConfig, readManifest } from './manifest.ts';
import type { Descriptor } from './manifest.ts';
import type { Platform } from './platform.ts';
import type { ImageReference } from './reference.ts';
import { isDigest } from './reference.ts';
import type { Endpoint, RegistryHosts } from './registry-hosts.ts';
import { failureOfStatus } from './status.ts';

/** A credential to try, or none. */
export interface Candidate {
  readonly credential: Credential | undefined;
  /** Everybody may know what it opens: it is no credential, or the operator's own. */
  readonly isShared: boolean;
}

/** Resolves with the credentials to try at a registry, in order; called only if the registry requires one. */
export type Candidates = (name: Pick<ImageReference, 'registry' | 'repository'>) => Promise<readonly Candidate[]>;

export interface Found {
  /** Of what the reference names: an index or a manifest. */
  readonly digest: string;
  readonly entryPoint: EntryPoint;
  readonly isShared: boolean;
}

export interface LookUpOptions {
  /** For whom: a host that turns away one namespace is left alone by that one. */
  readonly namespace: string;
  readonly candidates: Candidates;
  /** Returns the entrypoint of a digest seen before: then nothing more is downloaded. */
  readonly remembered: (digest: string) => EntryPoint | undefined;
  /** The digest when the reference was last looked up: then it is enough to ask whether it is the same. */
  readonly lastDigest: string | undefined;
  readonly signal: AbortSignal;
}

// The limit of containerd and of distribution for a manifest. Configurations are 2 to 20 kB, or some hundred kB with
// the longest lists of layers and labels.
const LARGEST_DOCUMENT = 4 * 2 ** 20;
// For an error that a registry sends instead of a configuration.
const LARGEST_ERROR = 64 * 1024;
// index, manifest, and one index to spare
const MOST_MANIFESTS = 3;
// An unreachable host is not asked again for a while, so that reviews do not wait for it one after the other.
const REST_MS = 5_000;
const RATE_LIMITED_REST_MS = 30_000;
const MOST_RESTING = 4_096;

interface Rest {
  /** By Clock.elapsed(). */
  readonly until: number;
  readonly failure: ImageFailure;
}

export class RegistryClient {
  readonly #send: Send;
  readonly #hosts: RegistryHosts;
  readonly #platforms: () => readonly Platform[];
  readonly #clock: Clock;
  readonly #resting = new Lru<Rest>(MOST_RESTING);

  constructor(options: {
    readonly send: Send;
    readonly hosts: RegistryHosts;
    /** Platforms of the cluster's nodes: the first one that an image supports counts. */
    readonly platforms: () => readonly Platform[];
    readonly clock: Clock;
  }) {
    this.#send = options.send;
    this.#hosts = options.hosts;
    this.#platforms = options.platforms;
    this.#clock = options.clock;
  }

  /**
   * Tries mirrors and registry in turn, each with one candidate after the other. Rejects with the last one's
   * ImageFailure.
   */
  async lookUp(reference: ImageReference, options: LookUpOptions): Promise<Found> {
    let failure = new ImageFailure('NotAllowed', 'no registry may be asked');
    for (const endpoint of this.#hosts.endpointsFor(reference)) {
      try {
        return await this.#atEndpoint(endpoint, reference, options);
      } catch (error) {
        failure = this.#noted(error, endpoint, options);
      }
    }
    throw failure;
  }

  async #atEndpoint(endpoint: Endpoint, reference: ImageReference, options: LookUpOptions): Promise<Found> {
    const rest = this.#resting.get(restKey(options, endpoint));
    if (rest !== undefined && rest.until > this.#clock.elapsed()) throw rest.failure;
    const open = (authorization?: string): Promise<Omit<Found, 'isShared'>> =>
      new Session(endpoint, authorization, this.#send, options.signal).read(reference, this.#platforms(), options);
    try {
      return { ...(await open()), isShared: true };
    } catch (error) {
      if (!(error instanceof Challenged)) throw error;
      return this.#withCandidates(endpoint, reference, error.challenges, options, open);
    }
  }

  async #withCandidates(
    endpoint: Endpoint,
    reference: ImageReference,
    challenges: readonly Challenge[],
    { candidates, signal }: LookUpOptions,
    open: (authorization: string) => Promise<Omit<Found, 'isShared'>>,
  ): Promise<Found> {
    // A mirror only gets credentials for the mirror: it must not see a password for another registry.
    const isMirror = endpoint.host !== reference.registry;
    const all = await candidates(isMirror ? { registry: endpoint.host, repository: endpoint.repository } : reference);
    let failure: ImageFailure | undefined;
    for (const { credential, isShared } of all) {
      try {
        const authorization = await authorize(challenges, credential, endpoint, this.#send, signal);
        return { ...(await open(authorization)), isShared };
      } catch (error) {
        const now = error instanceof Challenged ? unauthorized(endpoint, all) : error;
        if (!(now instanceof ImageFailure) || !isForNextCandidate(now)) throw now;
        // Some registries report what may not be pulled as not found.
        if (failure?.code !== 'Unauthorized') failure = now;
      }
    }
    throw failure?.code === 'NotFound' ? failure : unauthorized(endpoint, all);
  }

  /** Remembers hosts that must rest. */
  #noted(error: unknown, endpoint: Endpoint, options: LookUpOptions): ImageFailure {
    if (!(error instanceof ImageFailure)) throw error;
    if (error.code !== 'Unreachable' && error.code !== 'RateLimited') return error;
    const key = restKey(options, endpoint);
    if (this.#resting.get(key)?.failure === error) return error;
    const rest = error.retryAfterMs ?? (error.code === 'RateLimited' ? RATE_LIMITED_REST_MS : REST_MS);
    this.#resting.set(key, { until: this.#clock.elapsed() + rest, failure: error }, options.namespace);
    return error;
  }
}

function restKey({ namespace }: LookUpOptions, { origin }: Endpoint): string {
  return `${namespace} ${origin}`;
}

/** A 401: the registry requires credentials, or other ones. */
class Challenged extends Error {
  readonly challenges: readonly Challenge[];
  constructor(challenges: readonly Challenge[]) {
    super('challenged');
    this.challenges = challenges;
  }
}

function isForNextCandidate({ code }: ImageFailure): boolean {
  return code === 'Unauthorized' || code === 'NotFound';
}

function unauthorized({ host }: Endpoint, candidates: readonly Candidate[]): ImageFailure {
  const count = candidates.filter(({ credential }) => credential !== undefined).length;
  if (count === 0) return new ImageFailure('Unauthorized', `${host} denies access without credentials`);
  const tried = count === 1 ? 'the only available credential' : `each of the ${count} available credentials`;
  return new ImageFailure('Unauthorized', `${host} denies access with ${tried}`);
}

/** Reads documents of one repository with one authorization. */
class Session {
  readonly #endpoint: Endpoint;
  readonly #authorization: string | undefined;
  readonly #send: Send;
  readonly #signal: AbortSignal;

  constructor(endpoint: Endpoint, authorization: string | undefined, send: Send, signal: AbortSignal) {
    this.#endpoint = endpoint;
    this.#authorization = authorization;
    this.#send = send;
    this.#signal = signal;
  }

  async read(
    { version, isPinned }: ImageReference,
    platforms: readonly Platform[],
    { remembered, lastDigest }: LookUpOptions,
  ): Promise<Omit<Found, 'isShared'>> {
    const last = lastDigest === undefined ? undefined : remembered(lastDigest);
    if (lastDigest !== undefined && last !== undefined) {
      // has no body, and does not count as a pull where pulls are limited (Docker Hub)
      const { headers } = await this.#request('HEAD', `manifests/${version}`, ACCEPTED_MANIFESTS, 0);
      if (headers['docker-content-digest'] === lastDigest) return { digest: lastDigest, entryPoint: last };
    }
    const top = await this.#manifest(version);
    const claimed = isPinned ? version : digestHeader(top);
    const digest = digestLike(claimed ?? '', top.body);
    if (claimed !== undefined && claimed !== digest) throw this.#damaged();
    const entryPoint = remembered(digest) ?? (await this.#entryPoint(top, platforms));
    return { digest, entryPoint };
  }

  async #entryPoint(top: Reply, platforms: readonly Platform[]): Promise<EntryPoint> {
    let reply = top;
    for (let manifests = 0; manifests < MOST_MANIFESTS; manifests++) {
      const next = readManifest(reply.body, contentType(reply), platforms);
      if ('config' in next) return readConfig((await this.#blob(next.config)).body);
      reply = this.#verified(await this.#manifest(next.manifest.digest), next.manifest);
    }
    throw new ImageFailure('Unusable', 'its index points to another index too many times');
  }

  #manifest(version: string): Promise<Reply> {
    return this.#request('GET', `manifests/${version}`, ACCEPTED_MANIFESTS, LARGEST_DOCUMENT);
  }

  async #blob(config: Descriptor): Promise<Reply> {
    if (config.size > LARGEST_DOCUMENT) throw new ImageFailure('Unusable', 'its configuration is too large');
    const maxBytes = Math.max(config.size, LARGEST_ERROR);
    return this.#verified(await this.#request('GET', `blobs/${config.digest}`, '*/*', maxBytes), config);
  }

  #verified(reply: Reply, { digest, size }: Descriptor): Reply {
    if (reply.body.length !== size || digestLike(digest, reply.body) !== digest) throw this.#damaged();
    return reply;
  }

  #damaged(): ImageFailure {
    return new ImageFailure('Unusable', `${this.#endpoint.host} sent content that does not match its digest`);
  }

  async #request(method: 'GET' | 'HEAD', path: string, accept: string, maxBytes: number): Promise<Reply> {
    const { origin, repository, host } = this.#endpoint;
    const url = new URL(`/v2/${repository}/${path}`, origin);
    const authorization = this.#authorization;
    const headers = { accept, ...(authorization !== undefined && { authorization }) };
    const reply = await this.#send({ method, url, headers, maxBytes, signal: this.#signal });
    if (reply.status === 200) return reply;
    if (reply.status === 401) throw new Challenged(parseChallenges(reply.headers['www-authenticate']));
    throw failureOfStatus(reply, host);
  }
}

function contentType({ headers }: Reply): string | undefined {
  const type = headers['content-type'];
  return typeof type === 'string' ? type : undefined;
}

function digestHeader({ headers }: Reply): string | undefined {
  const digest = headers['docker-content-digest'];
  return typeof digest === 'string' && isDigest(digest) ? digest : undefined;
}
