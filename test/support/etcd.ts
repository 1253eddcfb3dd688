/** Deletes a key of etcd past the API server (etcd's JSON gateway), as a restored backup or a lost event would look. */
export async function deleteFromEtcd(endpoint: string, key: string): Promise<void> {
  const response = await fetch(`${endpoint}/v3/kv/deleterange`, {
    method: 'POST',
    body: JSON.stringify({ key: Buffer.from(key).toString('base64') }),
  });
  const { deleted = '0' } = (await response.json()) as { deleted?: string };
  if (deleted !== '1') throw new Error(`etcd: ${key} was not there (HTTP ${response.status})`);
}
