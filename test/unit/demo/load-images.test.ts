import { expect } from 'chai';
import { howToGetImages, loadCommands } from '../../demo/load-images.ts';
import { architecturesOf, imageNames } from '../../demo/demo-images.ts';

const ARCHIVES = ['/tmp/operator.tar', '/tmp/vault-env.tar'];

describe('images get onto the nodes', () => {
  it('of kind, one archive with each command: before 0.15 it loads only the first', () => {
    expect(loadCommands({ origin: { by: 'kind', name: 'trial' }, loader: undefined }, ARCHIVES)).to.deep.equal([
      ['kind', 'load', 'image-archive', '/tmp/operator.tar', '--name', 'trial'],
      ['kind', 'load', 'image-archive', '/tmp/vault-env.tar', '--name', 'trial'],
    ]);
  });

  it('of minikube', () => {
    expect(loadCommands({ origin: { by: 'minikube', name: 'trial' }, loader: undefined }, ARCHIVES)).to.deep.equal([
      ['minikube', 'image', 'load', '/tmp/operator.tar', '--profile', 'trial'],
      ['minikube', 'image', 'load', '/tmp/vault-env.tar', '--profile', 'trial'],
    ]);
  });

  it('of another cluster, by the command that was given', () => {
    const loader = ' k3d image import  --cluster dev ';
    expect(loadCommands({ origin: { by: 'other' }, loader }, ARCHIVES)).to.deep.equal([
      ['k3d', 'image', 'import', '--cluster', 'dev', '/tmp/operator.tar'],
      ['k3d', 'image', 'import', '--cluster', 'dev', '/tmp/vault-env.tar'],
    ]);
  });

  it('of another cluster not at all without such a command, and the message has both ways', () => {
    expect(loadCommands({ origin: { by: 'other' }, loader: '' }, ARCHIVES)).to.be.undefined;
    expect(howToGetImages('prod')).to.contain('make demo CONTEXT=prod IMAGE_LOADER=').and.contain('IMAGE_PREFIX=');
  });

  it('for the architectures of all nodes, and not for others', () => {
    expect(architecturesOf(['arm64', 'amd64', 'arm64'])).to.deep.equal(['amd64', 'arm64']);
    expect(() => architecturesOf(['s390x'])).to.throw('a node has the architecture s390x');
  });

  it('under the names of make images', () => {
    expect(imageNames('').operator).to.match(/^localhost\/vault-injection-operator:\d/);
    expect(imageNames('registry.example.com/team').vaultEnv).to.match(/^registry\.example\.com\/team\/vault-env:\d/);
  });
});
