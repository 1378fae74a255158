// Reads documents, one a line, and says what is wrong with each by its standard's
// own schema and rules: CycloneDX 1.6 by its schema, CSAF 2.0 by its schema and the
// mandatory tests of its section 6.1. mgmt/web/libraries.sh bundles it with those.
import { readFileSync } from 'node:fs'
import Ajv from 'ajv'
import addFormats from 'ajv-formats'
import { csaf_2_0 } from '@secvisogram/csaf-validator-lib/schemaTests.js'
import * as mandatory from '@secvisogram/csaf-validator-lib/mandatoryTests.js'
import bom from './node_modules/@cyclonedx/cyclonedx-library/res/schema/bom-1.6.SNAPSHOT.schema.json'
import spdx from './node_modules/@cyclonedx/cyclonedx-library/res/schema/spdx.SNAPSHOT.schema.json'
import jsf from './node_modules/@cyclonedx/cyclonedx-library/res/schema/jsf-0.82.SNAPSHOT.schema.json'

const ajv = new Ajv({ strict: false, allErrors: true })
addFormats(ajv)
for (const format of ['iri-reference', 'idn-email']) ajv.addFormat(format, true)
// The library has the parts under names of its own.
for (const [name, schema] of Object.entries({ spdx, 'jsf-0.82': jsf })) ajv.addSchema({ ...schema, $id: `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json` })
const cycloneDX = ajv.compile(bom)

async function faults (doc) {
  if (doc.bomFormat) return cycloneDX(doc) ? [] : cycloneDX.errors.map(e => `${e.instancePath}: ${e.message}`)
  const all = []
  for (const [name, test] of Object.entries({ csaf_2_0, ...mandatory })) {
    const r = await test(doc)
    if (!r.isValid) all.push(...(r.errors?.length ? r.errors : [{ instancePath: '', message: 'not valid' }]).map(e => `${name} ${e.instancePath}: ${e.message}`))
  }
  return all
}

let n = 0
for (const line of readFileSync(0, 'utf8').trim().split('\n')) {
  n++
  for (const fault of await faults(JSON.parse(line))) console.log(`${n} ${fault}`)
}
console.log(`${n} documents`)
