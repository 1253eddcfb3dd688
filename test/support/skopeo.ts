/**
 * `skopeo copy … oci-archive:FILE docker://HOST/REPOSITORY:TAG`, where no skopeo is to be had: pushes all architectures of an
 * archive of `make images`, with the digests that they have. SSL_CERT_FILE names the authority of the registry.
 */
import { readFileSync } from 'node:fs';

import { imageIn } from './image-archive.ts';
import { pushIndex } from './registry-push.ts';

const [source = '', target = ''] = process.argv
  .slice(2)
  .filter((argument) => !argument.startsWith('--'))
  .slice(-2);
const [, host = '', repository = '', tag = ''] = /^docker:\/\/([^/]+)\/(.+):([^:/]+)$/.exec(target) ?? [];
const image = imageIn(source.replace('oci-archive:', ''));
const images = image.images.map((one) => ({ image: one, architecture: one.architecture }));
const ca = readFileSync(process.env.SSL_CERT_FILE ?? '', 'utf8');
const digest = await pushIndex({ url: `https://${host}`, ca }, repository, tag, images);
if (digest !== image.digest) throw new Error(`${target} has the digest ${digest}, and ${image.digest} was built`);
