import type { Dataset } from '#core/dataset.ts';
import type { AirflowAssetEvent } from './airflow-api.ts';

interface Place {
  readonly namespace: string;
  readonly name: string;
}

/** Databases whose tables are named `database.schema.table`, with the port that they have when an address says none. */
const DATABASES: Readonly<Record<string, string | undefined>> = {
  postgres: '5432',
  postgresql: '5432',
  mysql: '3306',
  mssql: '1433',
  redshift: '5439',
  trino: '8080',
  snowflake: undefined,
};

const SCHEME = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)([^?#]*)/i;

/**
 * The data set that an asset (of Airflow 3) or dataset (of Airflow 2) stands for, named after OpenLineage's rules (naming.md, spec
 * 2-0-2) as far as its URI tells. An asset that has a name and no address keeps its name, in a namespace of Airflow's.
 */
export function assetDataset({ uri, name }: Pick<AirflowAssetEvent, 'uri' | 'name'>): Dataset {
  const [, scheme, authority = '', path = ''] = SCHEME.exec(uri) ?? [];
  const place = scheme === undefined ? undefined : placeOf(scheme.toLowerCase(), authority, decoded(path));
  const { namespace, name: found } = place ?? { namespace: 'airflow', name: name || uri };
  return { namespace, name: found || '/', type: 'Asset' };
}

function placeOf(scheme: string, server: string, path: string): Place | undefined {
  const authority = withoutUser(scheme, server);
  const name = path.replace(/^\/+/, '');
  if (Object.hasOwn(DATABASES, scheme)) return { namespace: databaseServer(scheme, authority), name: dotted(name) };
  switch (scheme) {
    case 'file':
      return { namespace: authority ? `file://${authority}` : 'file', name: path };
    case 'bigquery':
      return { namespace: 'bigquery', name: dotted(`${authority}/${name}`) };
    case 's3a':
    case 's3n':
      return { namespace: `s3://${authority}`, name };
    case 'hdfs':
    case 'dbfs':
      return { namespace: `${scheme}://${authority}`, name: path };
    default:
      // `x-airflow:` and the like say nothing of where the data is.
      return scheme.startsWith('x-') ? undefined : { namespace: `${scheme}://${authority}`, name };
  }
}

function databaseServer(scheme: string, authority: string): string {
  const port = DATABASES[scheme];
  const kind = scheme === 'postgresql' ? 'postgres' : scheme;
  return `${kind}://${authority}${port === undefined || /:\d+$/.test(authority) ? '' : `:${port}`}`;
}

function dotted(path: string): string {
  return path.split('/').filter(Boolean).join('.');
}

/** A password in an address is nobody's name; in front of an Azure storage account stands a container. */
function withoutUser(scheme: string, authority: string): string {
  const at = authority.lastIndexOf('@');
  return /^(abfs|wasb)s?$/.test(scheme) && !authority.slice(0, at).includes(':') ? authority : authority.slice(at + 1);
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
