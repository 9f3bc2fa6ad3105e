import assert from 'node:assert/strict';
import { requireOneOf } from '../../../scripts/python-interpreters.mjs';

const wanted = { pythons: ['3.12', '3.11'], why: 'the locked requirements of Airflow resolve on no other' };
const python = (version: string) => ({ version, path: `/usr/bin/python${version}` });

describe('Python for requirements that resolve on some versions only', () => {
  it('is the one that is wanted most of those that are there', () => {
    const found = ['3.13', '3.12', '3.11', '3.10'].map(python);
    assert.equal(requireOneOf(found, wanted).version, '3.12');
    assert.equal(requireOneOf(found.slice(2), wanted).version, '3.11');
  });

  it('is asked for, with the reason and the way to it, when there is none', () => {
    assert.throws(() => requireOneOf(['3.13', '3.10'].map(python), wanted), {
      message:
        /^Python 3\.12 or 3\.11 is needed, because .*Airflow.*there is 3\.13, 3\.10\. Install one, .*pyenv install 3\.12/,
    });
  });
});
