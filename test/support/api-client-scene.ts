import { ApiClient } from '../../kube/api-client.ts';
import type { PooledKubeConfig } from '../../kube/kube-config.ts';
import { ListWatchServer } from './list-watch-server.ts';

/** A client and the server that it talks to, new for each test of the suite that creates it. */
export class ApiClientScene {
  server!: ListWatchServer;
  client!: ApiClient;
  #kubeConfig!: PooledKubeConfig;

  constructor() {
    beforeEach(async () => {
      this.server = await ListWatchServer.start();
      this.#kubeConfig = this.server.kubeConfig();
      this.client = new ApiClient({ kubeConfig: this.#kubeConfig, userAgent: 'test', timeoutMs: 1_000 });
    });
    afterEach(async () => {
      await this.#kubeConfig.close();
      await this.server.goAway().catch(() => undefined);
    });
  }
}
