create or replace view audit.published_head as
select
    h.seq,
    encode(h.hash, 'hex') as hash,
    e.recorded_at
from audit.head as h
left join audit.event as e on h.seq = e.seq;
grant select on audit.published_head to market_operator;
comment on view audit.published_head is
'The end of the chain, to be kept where this server''s superuser cannot write. See docs/audit.md.';
comment on column audit.published_head.seq is 'seq of the last event; 0: none yet.';
comment on column audit.published_head.hash is 'Its hash, hexadecimal.';
comment on column audit.published_head.recorded_at is 'When it was recorded; NULL: none yet.';
