# One user's day with Mail::IMAPClient. Arguments: port, user, password. Dies at the first thing that is not as it should be.
use strict;
use warnings;
use Mail::IMAPClient;

my ($port, $user, $password) = @ARGV;
my $imap = Mail::IMAPClient->new(
    Server => '127.0.0.1', Port => $port, User => $user, Password => $password,
    Ssl => [SSL_verify_mode => 0], Uid => 1, Peek => 1
) or die "connect: $@";

sub check { my ($ok, $what) = @_; die "$what: " . ($imap->LastError // '') . "\n" unless $ok }

check($imap->IsAuthenticated, 'log-in');
for my $folder ('Work', 'Work/2026', 'Alt &- Neu') {
    check($imap->create($folder), "create $folder");
    check($imap->subscribe($folder), "subscribe $folder");
}
check((grep { $_ eq 'Work/2026' } @{$imap->folders}), 'folders');
check(scalar(@{$imap->subscribed}) >= 3, 'subscribed');
my @uids = map { $imap->append_string('Work', "Subject: number $_\r\nFrom: p\@example.org\r\n\r\nbody $_\r\n") } 1 .. 10;
check(scalar(grep { defined && /^\d+$/ } @uids) == 10, 'append_string gives UIDs');
check($imap->select('Work'), 'select');
check($imap->message_count == 10 && $imap->unseen_count == 10, 'counts');
check($imap->subject($uids[3]) eq 'number 4', 'subject');
check($imap->body_string($uids[4]) eq "body 5\r\n", 'body_string');
check($imap->see(@uids[0 .. 4]), 'see');
check($imap->unseen_count == 5, 'unseen after see');
check(join(',', sort { $a <=> $b } $imap->search('SUBJECT', 'number 7')) eq "$uids[6]", 'search');
my @sorted = $imap->sort('REVERSE SUBJECT', 'UTF-8', 'ALL');
check(@sorted == 10 && $sorted[0] == $uids[8], 'sort');
check(scalar($imap->thread('REFERENCES', 'UTF-8', 'ALL')), 'thread');
check($imap->copy('Work/2026', @uids[0 .. 1]), 'copy');
check($imap->move('Alt &- Neu', @uids[2 .. 3]), 'move');
$imap->expunge;
check($imap->message_count('Alt &- Neu') == 2, 'moved');
check($imap->select('Work') && $imap->message_count == 8, 'after move');
check($imap->store("$uids[9] +FLAGS (\\Answered \$Mine)"), 'store');
check((grep { $_ eq '$Mine' } $imap->flags($uids[9])), 'flags');
my $bs = $imap->get_bodystructure($uids[9]);
check($bs && lc($bs->bodytype) eq 'text', 'body structure');
my $env = $imap->get_envelope($uids[9]);
check($env && $env->subject eq 'number 10', 'envelope');
check($imap->rename('Work/2026', 'Work/Old'), 'rename');
check($imap->delete_message(@uids[4 .. 5]) && $imap->expunge && $imap->message_count == 6, 'delete and expunge');
check($imap->close, 'close');
check($imap->delete('Work/Old'), 'delete');
check($imap->logout, 'logout');
print "good\n";
