select
    tenant_id,
    symbol,
    bucket
from {{ ref('feature_1m') }}
where bucket + interval '1 minute' > now()
