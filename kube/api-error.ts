import { asObject, parseJson } from '../core/json.ts';
import { codeOf, explained, isTimeout } from '../core/network-error.ts';
import { retryAfterMs } from '../core/retry-after.ts';
import { ApiError } from './object-client.ts';

export interface AnswerContext {
  /** Such as `GET /api/v1/namespaces/default`: method and path, without the query. */
  readonly call: string;
  /** Secrets: the server's message may quote values, so it is left out. */
  readonly confidential: boolean;
}

const LONGEST_MESSAGE = 500;

/** The error for an answer that is no success. `body` is what the server sent, a Status where it is a Kubernetes server. */
export function errorOfAnswer(
  code: number,
  retryAfter: string | undefined,
  body: string,
  context: AnswerContext,
): ApiError {
  const status = statusOf(body);
  const reason = status.reason ?? `HTTP${code}`;
  const said =
    context.confidential || status.message === undefined ? '' : `: ${status.message.slice(0, LONGEST_MESSAGE)}`;
  return new ApiError(code, reason, `${context.call}: ${code} ${reason}${said}`, retryAfterMs(retryAfter));
}

/** The error for no answer at all. Nothing of the cause but its code goes in: libraries hang requests on their errors. */
export function errorOfNoAnswer(cause: unknown, context: AnswerContext): ApiError {
  if (cause instanceof ApiError) return cause;
  const code = codeOf(cause);
  const reason = isTimeout(code) ? 'Timeout' : code === 'AbortError' ? 'Aborted' : 'Unreachable';
  return new ApiError(0, reason, `${context.call}: ${explained(code) ?? `no answer (${code})`}`);
}

/** The error when no credentials could be had: an exec plugin or a file failed. What the plugin printed stays out. */
export function errorOfCredentials(cause: unknown, context: AnswerContext): ApiError {
  const detail = cause instanceof Error && cause.name === 'KubeConfigError' ? cause.message : codeOf(cause);
  const message = `${context.call}: no credentials from the kubeconfig (${detail}): its exec plugin failed or a file is missing`;
  return new ApiError(0, 'NoCredentials', message);
}

function statusOf(body: string): { reason?: string; message?: string } {
  const { kind, reason, message } = asObject(parseJson(body)) ?? {};
  if (kind !== 'Status') return {};
  return {
    ...(typeof reason === 'string' && reason !== '' ? { reason } : {}),
    ...(typeof message === 'string' ? { message } : {}),
  };
}
