/** A whole process around the adapter: watches things until SIGTERM, as an operator does. Its argument is a kubeconfig. */
import { systemClock } from '../../../kube/clock.ts';
import { ApiClient } from '../../../kube/api-client.ts';
import { loadKubeConfig } from '../../../kube/kube-config.ts';
import { OperatorAdapter } from '../../../kube/operator-adapter.ts';
import { testLog } from '../../support/test-log.ts';

class ThingOperator extends OperatorAdapter {
  protected override init(): Promise<void> {
    return this.watchResource('example.dev', 'v1', 'things', ({ type, meta }) => {
      process.stdout.write(`${type} ${meta.name}\n`);
      return Promise.resolve();
    });
  }
}

const kubeConfig = loadKubeConfig({ file: process.argv[2] });
const operator = new ThingOperator({
  client: new ApiClient({ kubeConfig, userAgent: 'test/1' }),
  kubeConfig,
  fieldManager: 'test',
  clock: systemClock,
  random: () => 0,
  logger: testLog().logger,
});
process.once('SIGTERM', () => void operator.stop().then(() => kubeConfig.close()));
await operator.start();
