// node_ten.js QUEUE_URL N - AWS SDK v3 and pg, by tens, several receives side by side.
//
// What it lacks, and sluice has: a bad message ends it, and a crash before a delete doubles the row.
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import https from "node:https";
import { DeleteMessageBatchCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import pg from "pg";

const [url, n] = [process.argv[2], Number(process.argv[3])];
const LANES = 8; // tried 1, 4, 8, 16: more gained nothing
const ca = process.env.AWS_CA_BUNDLE && readFileSync(process.env.AWS_CA_BUNDLE);
const sqs = new SQSClient({
    region: "us-east-1",
    requestHandler: { httpsAgent: new https.Agent({ keepAlive: true, maxSockets: 64, ca }) },
});
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: LANES });
let left = n;

const masked = (value) => createHmac("sha256", "of-the-benchmark").update(value).digest("hex");

async function load(messages) {
    const values = messages.flatMap((m) => {
        const e = JSON.parse(m.Body);
        return [e.user_id, e.device_type, masked(e.ip), masked(e.device_id), e.locale,
                e.app_version, Number(m.Attributes.SentTimestamp) / 1000];
    });
    const rows = messages.map((_, i) =>
        `(${[1, 2, 3, 4, 5, 6].map((k) => `$${7 * i + k}`)}, to_timestamp($${7 * i + 7}))`);
    await pool.query(`INSERT INTO user_logins VALUES ${rows}`, values);
}

async function lane() {
    while (left > 0) {
        const { Messages: messages = [] } = await sqs.send(new ReceiveMessageCommand({
            QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1,
            MessageSystemAttributeNames: ["SentTimestamp"] }));
        if (messages.length === 0) continue;
        await load(messages);
        await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: url, Entries: messages.map(
            (m, i) => ({ Id: String(i), ReceiptHandle: m.ReceiptHandle })) }));
        left -= messages.length;
    }
}

await Promise.all(Array.from({ length: LANES }, lane));
await pool.end();
