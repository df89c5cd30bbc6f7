// One user's day with imapflow. Arguments: port, certificate, user, password. Prints one JSON object of what was seen.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [port, certificate, user, pass] = process.argv.slice(2);
const require = createRequire(path.join(process.cwd(), 'package.json'));
const { ImapFlow } = await import(pathToFileURL(require.resolve('imapflow')));

const connect = async options => {
    const client = new ImapFlow({
        host: '127.0.0.1',
        port: Number(port),
        secure: true,
        servername: 'localhost',
        tls: { ca: fs.readFileSync(certificate) },
        auth: { user, pass },
        logger: false,
        qresync: true,
        ...options
    });
    await client.connect();
    return client;
};
const event = (client, name) =>
    new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`no event ${name}`)), 15000);
        client.once(name, data => {
            clearTimeout(timer);
            resolve(data);
        });
    });
const message = n =>
    Buffer.from(
        `From: =?utf-8?q?S=C3=B6ren?= <s${n}@example.org>\r\nTo: a@example.org, b@example.org\r\nSubject: Nummer ${n} =?utf-8?b?4oKs?=\r\n` +
            `Message-ID: <f${n}@example.org>\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n` +
            `Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGr\u00fc\u00dfe ${n}\r\n` +
            `--b\r\nContent-Type: application/pdf; name=x.pdf\r\nContent-Disposition: attachment; filename=x.pdf\r\n` +
            `Content-Transfer-Encoding: base64\r\n\r\nAAECAw==\r\n--b--\r\n`
    );

const seen = {};
const a = await connect();
const b = await connect();
seen.compressed = Boolean(a._deflate);
seen.enabled = [...a.enabled];

await a.mailboxCreate('Ablage/Größe');
seen.folders = (await a.list()).map(f => f.path).sort();
const first = await a.append('INBOX', message(1), ['\\Seen', '$Label1'], new Date('2026-11-20T10:00:00Z'));
seen.appendUid = first.uid;
for (let n = 2; n <= 5; n++) {
    await a.append('INBOX', message(n));
}

const box = await a.mailboxOpen('INBOX');
seen.exists = box.exists;
seen.condstore = typeof box.highestModseq;
const m = await a.fetchOne(first.uid, { uid: true, flags: true, envelope: true, bodyStructure: true, internalDate: true, size: true, emailId: true },
    { uid: true });
seen.subject = m.envelope.subject;
seen.from = m.envelope.from[0];
seen.to = m.envelope.to.length;
seen.flags = [...m.flags].sort();
seen.structure = [m.bodyStructure.type, ...m.bodyStructure.childNodes.map(c => c.type)];
seen.disposition = m.bodyStructure.childNodes[1].dispositionParameters.filename;
seen.date = m.internalDate.toISOString();
seen.emailId = Boolean(m.emailId);
seen.source = (await a.fetchOne(first.uid, { source: true }, { uid: true })).source.equals(message(1));
const { content } = await a.download(first.uid, '2', { uid: true });
const chunks = [];
for await (const chunk of content) {
    chunks.push(chunk);
}
seen.attachment = Buffer.concat(chunks).toString('hex');

// Two clients: IDLE hears of a new message, of flags and of a message that goes.
await b.mailboxOpen('INBOX');
const exists = event(b, 'exists');
b.idle();
await a.append('INBOX', message(6));
seen.idleExists = (await exists).count;
const flags = event(b, 'flags');
await a.messageFlagsAdd('2', ['\\Flagged']);
seen.idleFlags = [...(await flags).flags].sort();
const expunge = event(b, 'expunge');
const moved = await a.messageMove('3', 'Ablage/Größe');
seen.moved = [...moved.uidMap.entries()];
seen.idleExpunge = (await expunge).uid ?? (await expunge).seq;

seen.search = await a.search({ subject: 'Nummer 5' }, { uid: true });
seen.unflagged = (await a.search({ flagged: false }, { uid: true })).length;
const status = await a.status('Ablage/Größe', { messages: true, uidNext: true, highestModseq: true });
seen.status = [status.messages, status.uidNext, typeof status.highestModseq];
await a.messageDelete('1:2');
seen.left = (await a.status('INBOX', { messages: true })).messages;

// What has changed since: CONDSTORE.
const before = a.mailbox.highestModseq;
await a.messageFlagsAdd({ all: true }, ['$Later']);
seen.changed = 0;
for await (const changed of a.fetch('1:*', { uid: true, flags: true }, { changedSince: before })) {
    seen.changed += changed.flags.has('$Later') ? 1 : 0;
}
await b.logout();
await a.logout();
console.log(JSON.stringify(seen));
