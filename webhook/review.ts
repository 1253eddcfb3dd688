import { toBase64 } from '../core/base64.ts';
import { parseJson } from '../core/json.ts';
import { trimObjects } from '../core/json-trim.ts';
import { ownTurn } from '../kube/slices.ts';
import { MOST_OF_OBJECT } from '../core/oversized.ts';
import { shownText } from '../core/shown.ts';
import { isNamespaceName, isObjectName } from '../core/object-names.ts';
import type { JsonPatchOperation } from '../core/injection/patch.ts';

/**
 * The codec of AdmissionReview v1 (admission.k8s.io): raw bytes in, a request to decide on; a decision in, JSON out.
 * The object under review stays the JSON that the API server sent, so that fields unknown to this code survive.
 */

export type JsonObject = Record<string, unknown>;

export interface ReviewRequest {
  readonly uid: string;
  /** CREATE, UPDATE, DELETE or CONNECT. */
  readonly operation: string;
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
  readonly namespace: string;
  /**
   * Of the object; its generateName if it has no name yet. '' if no object can have it: API servers ask
   * first, and refuse it then.
   */
  readonly name: string;
  readonly dryRun: boolean;
  /** What will be stored; undefined only if nothing will be (DELETE, CONNECT). */
  readonly object: JsonObject | undefined;
  /** What is stored now; undefined if nothing is (CREATE). */
  readonly stored: JsonObject | undefined;
}

/**
 * A body that is not a review that this server can answer. `status` is the HTTP status, `message` is for the client.
 */
export class BadReview extends Error {
  readonly status: 400 | 413;
  constructor(message: string, status: 400 | 413 = 400) {
    super(message);
    this.name = 'BadReview';
    this.status = status;
  }
}

export interface ReviewResponse {
  readonly uid: string;
  readonly allowed: boolean;
  /** Left out of the response if it is empty. */
  readonly patch?: readonly JsonPatchOperation[];
  readonly warnings?: readonly string[];
  /** Keys without a prefix: the API server adds the webhook's name. */
  readonly auditAnnotations?: Readonly<Record<string, string>>;
  /** Why it is not allowed: `code` becomes the HTTP status of the user's request. */
  readonly status?: { readonly code: number; readonly reason: string; readonly message: string };
}

const API_VERSION = 'admission.k8s.io/v1';
const HEAD = `{"apiVersion":"${API_VERSION}","kind":"AdmissionReview","response":{"uid":`;

// A Deployment with its managedFields nests about 20 deep. Recursion in this process (JSON.stringify above all)
// overflows the stack near 8,000.
const DEEPEST_NESTING = 200;

const OBJECTS = [
  ['request', 'object'],
  ['request', 'oldObject'],
] as const;
// Both objects, with managedFields as large as they may be. An API server that sends more is none.
const MOST_ELEMENTS = 4 * MOST_OF_OBJECT + 1_000;

// The API server creates UUIDs (36 characters); the response repeats the uid, so it must not be a megabyte.
const LONGEST_UID = 256;

// admission.k8s.io/v1: "Limit warnings to 120 characters if possible". API servers cut all warnings at 4096 bytes.
const LONGEST_WARNING = 120;
// kubectl prints it whole: names, what is wrong, what to do, and a list of what is allowed.
const LONGEST_MESSAGE = 2_000;
// Of an audit annotation: names of all containers.
const LONGEST_VALUE = 4_000;

/** Decodes one review. Throws BadReview. A body of at least SHORT_JSON bytes should go through decodeLargeReview(). */
export function decodeReview(body: Buffer): ReviewRequest {
  return decode(parse(body.toString('utf8')));
}

/**
 * Decodes a review of any length, in steps between which others get their turn. An object with more in it than any
 * workload needs is left out but for its head (core/oversized.ts). Rejects with BadReview.
 */
export async function decodeLargeReview(body: Buffer): Promise<ReviewRequest> {
  const trimmed = trimObjects(body, OBJECTS);
  if (trimmed === undefined) throw notJson();
  if (trimmed.elements > MOST_ELEMENTS) throw new BadReview('the body has too many fields and elements', 413);
  await ownTurn();
  const review = parse(trimmed.text);
  await ownTurn();
  return decode(review);
}

function decode(review: unknown): ReviewRequest {
  if (!isObject(review)) throw new BadReview('the body is not an AdmissionReview: expected a JSON object');
  if (review.kind !== 'AdmissionReview') throw new BadReview('the body is not an AdmissionReview: wrong kind');
  if (review.apiVersion !== API_VERSION)
    throw new BadReview(`unsupported apiVersion: this webhook supports ${API_VERSION}`);
  const { request } = review;
  if (!isObject(request)) throw new BadReview('the AdmissionReview has no request');
  const { uid, operation, kind } = request;
  if (typeof uid !== 'string' || uid === '') throw new BadReview('request.uid is missing');
  if (uid.length > LONGEST_UID) throw new BadReview('request.uid is too long');
  if (typeof operation !== 'string') throw new BadReview('request.operation is missing');
  if (!isObject(kind)) throw new BadReview('request.kind is missing');
  const object = objectOf(request.object, operation);
  const stored = storedOf(request.oldObject, operation);
  return {
    uid,
    operation,
    kind: { group: text(kind.group), version: text(kind.version), kind: text(kind.kind) },
    namespace: namespaceOf(request),
    name: nameIn(request, object),
    dryRun: request.dryRun === true,
    object,
    stored,
  };
}

/** Returns the response as JSON text, with each text in it as shownText() shows it to the person who made the request. */
export function encodeReview(response: ReviewResponse): string {
  const { patch, auditAnnotations, status } = response;
  const warnings = response.warnings?.map((warning) => shownText(warning, LONGEST_WARNING));
  let json = `${HEAD}${JSON.stringify(response.uid)},"allowed":${response.allowed}`;
  if (patch !== undefined && patch.length > 0) {
    json += `,"patchType":"JSONPatch","patch":"${toBase64(JSON.stringify(patch))}"`;
  }
  if (warnings !== undefined && warnings.length > 0) json += `,"warnings":${JSON.stringify(warnings)}`;
  if (auditAnnotations !== undefined) json += `,"auditAnnotations":${JSON.stringify(shownValues(auditAnnotations))}`;
  if (status !== undefined) {
    const message = shownText(status.message, LONGEST_MESSAGE);
    json += `,"status":${JSON.stringify({ status: 'Failure', ...status, message })}`;
  }
  return `${json}}}`;
}

function shownValues(texts: Readonly<Record<string, string>>): Record<string, string> {
  const shown: Record<string, string> = {};
  for (const key in texts) shown[key] = shownText(texts[key] ?? '', LONGEST_VALUE);
  return shown;
}

function parse(text: string): unknown {
  const review = parseJson(text); // not recursive: accepts any depth
  if (review === undefined) throw notJson();
  return review;
}

function notJson(): BadReview {
  return new BadReview('the body is not JSON');
}

/** Recurses only for objects and lists, not for other values: 1.5 µs for a review of 8 kB instead of 3. */
function isDeeperThan(value: object, levels: number): boolean {
  if (levels === 0) return true;
  if (Array.isArray(value)) {
    for (const item of value as unknown[]) {
      if (typeof item === 'object' && item !== null && isDeeperThan(item, levels - 1)) return true;
    }
    return false;
  }
  for (const key in value) {
    const field = (value as JsonObject)[key];
    if (typeof field === 'object' && field !== null && isDeeperThan(field, levels - 1)) return true;
  }
  return false;
}

function objectOf(value: unknown, operation: string): JsonObject | undefined {
  if (isObject(value)) {
    if (isDeeperThan(value, DEEPEST_NESTING)) {
      throw new BadReview(`request.object nests deeper than ${DEEPEST_NESTING} levels`);
    }
    return value;
  }
  if (operation === 'CREATE' || operation === 'UPDATE') throw new BadReview('request.object is missing');
  return undefined;
}

/** Only of an update: nothing else is decided by it. */
function storedOf(value: unknown, operation: string): JsonObject | undefined {
  if (operation !== 'UPDATE' || !isObject(value)) return undefined;
  if (isDeeperThan(value, DEEPEST_NESTING)) {
    throw new BadReview(`request.oldObject nests deeper than ${DEEPEST_NESTING} levels`);
  }
  return value;
}

/** API servers have found the namespace before they ask. */
function namespaceOf({ namespace }: JsonObject): string {
  const name = text(namespace);
  if (name !== '' && !isNamespaceName(name)) throw new BadReview('request.namespace is not the name of a namespace');
  return name;
}

function nameIn(request: JsonObject, object: JsonObject | undefined): string {
  const name = text(request.name) || nameOf(object);
  // a generateName may end as no name may
  return isObjectName(name) || isObjectName(`${name}0`) ? name : '';
}

function nameOf(object: JsonObject | undefined): string {
  const metadata = object?.metadata;
  return isObject(metadata) ? text(metadata.name) || text(metadata.generateName) : '';
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
