// Holds DuckDB and hyparquet against the files of a real lake: check_lake.mjs TABLE.jsonl... (by lake_sample).
// Same rows and types; the key-values that docs/lake.md promises.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { DuckDBInstance } from '@duckdb/node-api'
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'

const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
const db = await instance.connect()
const query = async sql => (await db.runAndReadAll(sql)).getRowsJson()

const TYPES = { time: ['TIMESTAMP WITH TIME ZONE'], text: ['VARCHAR'], octets: ['BLOB'],
  int: ['BIGINT', 'UBIGINT', 'UINTEGER'] }
const asText = { time: c => `epoch_us(${c})::VARCHAR`, int: c => `${c}::VARCHAR`, octets: c => `hex(${c})`,
  text: c => c }
const hex = v => Buffer.from(v).toString('hex').toUpperCase()
const unsigned = { seq: false, call_uid: true }
const plain = {
  time: String, octets: hex, text: String,
  int: (v, name) => unsigned[name] ? String(BigInt.asUintN(64, BigInt(v))) : String(v),
}

function sameRows(who, columns, rows, got) {
  assert.equal(got.length, rows.length, `${who}: number of rows`)
  for (let i = 0; i < rows.length; i++)
    for (let c = 0; c < columns.length; c++)
      if (got[i][c] !== rows[i][c])
        assert.fail(`${who}: row ${i}, ${columns[c].name}: ${got[i][c]} instead of ${rows[i][c]}`)
}

for (const expectedFile of process.argv.slice(2)) {
  const lines = readFileSync(expectedFile, 'utf8').trimEnd().split('\n').map(l => JSON.parse(l))
  const { file, columns } = lines[0]
  const rows = lines.slice(1)
  const list = columns.map(c => asText[c.kind](`"${c.name}"`)).join(', ')
  sameRows('DuckDB', columns, rows, await query(
    `SELECT ${list} FROM read_parquet('${file}', file_row_number = true) ORDER BY file_row_number`))
  for (const [i, [name, type]] of (await query(
    `DESCRIBE SELECT * FROM read_parquet('${file}', hive_partitioning = false)`)).entries()) {
    assert.equal(name, columns[i].name)
    assert.ok(TYPES[columns[i].kind].includes(type), `${name} is ${type}`)
  }
  const buffer = await asyncBufferFromFile(file)
  const parsers = { timestampFromMicroseconds: v => v }
  const objects = await parquetReadObjects({ file: buffer, compressors, utf8: false, parsers })
  sameRows('hyparquet', columns, rows, objects.map(o => columns.map(c =>
    o[c.name] === null || o[c.name] === undefined ? null : plain[c.kind](o[c.name], c.name))))
  const metadata = await parquetMetadataAsync(buffer)
  const keys = Object.fromEntries(metadata.key_value_metadata.map(({ key, value }) => [key, value]))
  const at = name => columns.findIndex(c => c.name === name)
  const bounds = name => rows.map(r => BigInt(r[at(name)])).reduce(
    ([min, max], v) => [v < min ? v : min, v > max ? v : max], [BigInt(rows[0][at(name)]), BigInt(rows[0][at(name)])])
  for (const name of ['ts', 'seq'])
    assert.deepEqual([keys[`hepcat.min_${name}`], keys[`hepcat.max_${name}`]], bounds(name).map(String))
  assert.deepEqual([keys['hepcat.table'], keys['hepcat.source'], keys['hepcat.node'], keys['hepcat.kind']],
    [expectedFile.replace(/.*\/|\.jsonl$/g, ''), '0', '7', '1'])
  console.log(`${keys['hepcat.table']}: DuckDB and hyparquet read the same ${rows.length} rows of ${columns.length} columns`)
}
