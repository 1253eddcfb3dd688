/**
 * `make cluster`: a control plane on loopback with the CRD and the operator's namespace, and no operator, to run one of
 * one's own against it. Pods are accepted and never run. Ctrl-C ends it and removes all of it.
 */
import { startControlPlane } from '../support/control-plane.ts';
import { installPrerequisites } from '../support/operator.ts';
import { untilStopped } from './until-stopped.ts';

const plane = await startControlPlane({ log: console.log });
try {
  await installPrerequisites(plane);
  console.log(`In another terminal:
  export KUBECONFIG=${plane.kubeconfig}
  npm start -- --webhook-url https://127.0.0.1:9443 --injector-image registry.example.com/vault-env:dev --log-level debug
Ctrl-C ends the cluster.`);
  await untilStopped();
} finally {
  await plane.stop();
}
