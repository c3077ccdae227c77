// npm's etcd3: npm_etcd3.js NODE_MODULES PORT [AUTHORITY], with the last over TLS
'use strict';
const assert = require('assert');
const fs = require('fs');
const path = require('path');

const { Etcd3, isRecoverableError } = require(path.join(process.argv[2], 'etcd3'));
const authority = process.argv[4];
const options = authority
  ? { hosts: `https://127.0.0.1:${process.argv[3]}`, credentials: { rootCertificate: fs.readFileSync(authority) } }
  : { hosts: `http://127.0.0.1:${process.argv[3]}` };
const sleep = ms => new Promise(done => setTimeout(done, ms));

const within = (promise, what, ms = 10000) =>
  Promise.race([promise, sleep(ms).then(() => assert.fail(`${what}: not within ${ms} ms`))]);

async function keysAndValues(client) {
  assert.strictEqual(await client.get('missing').string(), null);
  await client.put('a/1').value('one');
  await client.put('a/2').value('2');
  assert.strictEqual(await client.get('a/1').string(), 'one');
  assert.strictEqual(await client.get('a/2').number(), 2);
  assert.deepStrictEqual(await client.getAll().prefix('a/').strings(), { 'a/1': 'one', 'a/2': '2' });
  assert.deepStrictEqual(await client.getAll().prefix('a/').sort('Key', 'Descend').limit(1).keys(), ['a/2']);
  assert.strictEqual(await client.getAll().prefix('a/').count(), 2);
  assert.strictEqual((await client.delete().prefix('a/')).deleted, '2');
  const spaced = client.namespace('user/');
  await spaced.put('x').value('y');
  assert.strictEqual(await client.get('user/x').string(), 'y');
}

async function transactions(client) {
  await client.put('t').value('1');
  const done = await client
    .if('t', 'Value', '==', '1')
    .then(client.put('t').value('2'))
    .else(client.delete().key('t'))
    .commit();
  assert.strictEqual(done.succeeded, true);
  assert.strictEqual(await client.get('t').string(), '2');
  await client.stm().transact(tx => tx.get('t').string().then(v => tx.put('t').value(v + '3')));
  assert.strictEqual(await client.get('t').string(), '23');
}

async function watches(client) {
  const watcher = await client.watch().prefix('w/').create();
  const seen = [];
  const three = new Promise(done => {
    const note = kind => kv => {
      seen.push(`${kind} ${kv.key}`);
      if (seen.length === 3) done();
    };
    watcher.on('put', note('put')).on('delete', note('delete'));
  });
  await client.put('w/1').value('x');
  await client.put('w/2').value('y');
  await client.delete().key('w/1');
  await within(three, 'three events');
  assert.deepStrictEqual(seen, ['put w/1', 'put w/2', 'delete w/1']);
  await watcher.cancel();
}

async function leases(client) {
  const lease = client.lease(30);
  await lease.put('l').value('x');
  assert.strictEqual(await client.get('l').string(), 'x');
  await lease.keepaliveOnce();
  await lease.revoke();
  assert.strictEqual(await client.get('l').string(), null);
}

async function locks(client) {
  const first = await client.lock('door').ttl(20).acquire();
  await assert.rejects(client.lock('door').acquire());
  await first.release();
  const second = await client.lock('door').acquire();
  await second.release();
}

async function elections(client) {
  const other = new Etcd3(options);
  const campaign = client.election('e', 20).campaign('one');
  await within(new Promise(done => campaign.on('elected', done)), 'the first leader');
  assert.strictEqual(await client.election('e').leader(), 'one');
  const next = other.election('e', 20).campaign('two');
  const elected = new Promise(done => next.on('elected', done));
  await sleep(300);
  await campaign.resign();
  await within(elected, 'the second leader');
  assert.strictEqual(await client.election('e').leader(), 'two');
  await next.resign();
  other.close();
}

async function main() {
  const client = new Etcd3(options);
  assert.ok(Number((await client.maintenance.status()).dbSize) > 0);
  assert.strictEqual((await client.cluster.memberList({})).members.length, 1);
  await keysAndValues(client);
  await transactions(client);
  await watches(client);
  await leases(client);
  await locks(client);
  await elections(client);
  assert.strictEqual(typeof isRecoverableError, 'function');
  client.close();
  console.log('ok');
}

setTimeout(() => assert.fail('not through within 60 s'), 60000).unref();
main().catch(error => {
  console.error(error);
  process.exit(1);
});
