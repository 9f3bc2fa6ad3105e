import assert from 'node:assert/strict';
import fc from 'fast-check';
import { assetDataset } from '#engines/airflow/asset-dataset.ts';

/** OpenLineage's naming.md of spec 2-0-2, as far as a URI tells. */
const CASES: readonly (readonly [uri: string, namespace: string, name: string])[] = [
  ['file:///srv/orders.csv', 'file', '/srv/orders.csv'],
  ['file://host/srv/orders.csv', 'file://host', '/srv/orders.csv'],
  ['s3://lake/raw/orders.csv', 's3://lake', 'raw/orders.csv'],
  ['s3a://lake/raw/orders%20new.csv', 's3://lake', 'raw/orders new.csv'],
  ['gs://lake', 'gs://lake', '/'],
  ['abfss://raw@lake.dfs.core.windows.net/orders', 'abfss://raw@lake.dfs.core.windows.net', 'orders'],
  ['hdfs://name:8020/raw/orders', 'hdfs://name:8020', '/raw/orders'],
  ['postgres://db/shop/public/orders', 'postgres://db:5432', 'shop.public.orders'],
  ['postgresql://ci:secret@db:6000/shop/public/orders', 'postgres://db:6000', 'shop.public.orders'],
  ['mysql://db/shop/orders', 'mysql://db:3306', 'shop.orders'],
  ['snowflake://account/shop/public/orders', 'snowflake://account', 'shop.public.orders'],
  ['bigquery://project/shop/orders', 'bigquery', 'project.shop.orders'],
  ['kafka://broker:9092/orders', 'kafka://broker:9092', 'orders'],
  ['https://user:secret@api.example/orders?token=secret', 'https://api.example', 'orders'],
  ['orders', 'airflow', 'orders'],
  ['x-airflow:orders', 'airflow', 'x-airflow:orders'],
];

describe('the data set of an asset', () => {
  for (const [uri, namespace, name] of CASES) {
    it(`of ${uri.replaceAll('secret', '…')} is ${name} of ${namespace}`, () => {
      assert.deepEqual(assetDataset({ uri, name: undefined }), { namespace, name, type: 'Asset' });
    });
  }

  it('has the name of an asset that has no address', () => {
    assert.deepEqual(assetDataset({ uri: 'orders-uri', name: 'orders' }).name, 'orders');
  });

  it('has a name and a namespace for every text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.webUrl(), fc.string({ minLength: 1 })), (uri) => {
        const { namespace, name } = assetDataset({ uri, name: undefined });
        assert.ok(namespace && name);
      }),
    );
  });
});
