/** The few requests of a benchmark to an API server, over one pool of connections, as many at once as it is told. */
import { request } from 'undici';

import { loadKubeConfig, type PooledKubeConfig } from '../../kube/kube-config.ts';

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

export class Api {
  readonly #kubeConfig: PooledKubeConfig;

  constructor(kubeconfig: string) {
    this.#kubeConfig = loadKubeConfig({ file: kubeconfig });
  }

  get<T>(path: string): Promise<T> {
    return this.#call('GET', path);
  }

  create<T>(path: string, object: unknown): Promise<T> {
    return this.#call('POST', path, object, 'application/json');
  }

  /** A JSON merge patch. */
  patch<T>(path: string, changes: unknown): Promise<T> {
    return this.#call('PATCH', path, changes, 'application/merge-patch+json');
  }

  async delete(path: string): Promise<void> {
    await this.#call('DELETE', path);
  }

  /** Throws with status and text when the answer is not 2xx. */
  async #call<T>(method: Method, path: string, body?: unknown, contentType?: string): Promise<T> {
    const { server, headers, dispatcher } = await this.#kubeConfig.connection();
    const answer = await request(`${server}${path}`, {
      method,
      dispatcher,
      headers: {
        ...headers,
        'user-agent': 'bench',
        ...(contentType === undefined ? {} : { 'content-type': contentType }),
      },
      body: body === undefined ? null : JSON.stringify(body),
    });
    if (answer.statusCode >= 300) {
      throw new Error(`${method} ${path}: ${answer.statusCode} ${(await answer.body.text()).slice(0, 500)}`);
    }
    return (await answer.body.json()) as T;
  }
}

/** Runs `work` on each item, at most `limit` at once. */
export async function each<T>(items: readonly T[], limit: number, work: (item: T) => Promise<unknown>): Promise<void> {
  const rest = items.values();
  await Promise.all(
    Array.from({ length: limit }, async () => {
      for (const item of rest) await work(item);
    }),
  );
}
