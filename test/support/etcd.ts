/** Deletes a key of etcd past the API server (etcd's JSON gateway), as a restored backup or a lost event would look. */
export async function deleteFromEtcd(endpoint: string, key: string): Promise<void> {
  const response = await fetch(`${endpoint}/v3/kv/deleterange`, {
    method: 'POST',
    body: JSON.stringify({ key: Buffer.from(key).toString('base64') }),
  });
  const { deleted = '0' } = (await response.json()) as { deleted?: string };
  if (deleted !== '1') throw new Error(`etcd: ${key} was not there (HTTP ${response.status})`);
}

/**
 * Stores an object as JSON past the API server, which reads JSON as well as protobuf: thousands of objects in seconds,
 * where their admission would take half an hour.
 */
export async function putIntoEtcd(endpoint: string, key: string, object: unknown): Promise<void> {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const response = await fetch(`${endpoint}/v3/kv/put`, {
    method: 'POST',
    body: JSON.stringify({ key: base64(key), value: base64(JSON.stringify(object)) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`etcd: ${key}: HTTP ${response.status} ${text.slice(0, 200)}`);
}
