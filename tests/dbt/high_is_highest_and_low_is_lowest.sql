select
    tenant_id,
    symbol,
    bucket
from {{ ref('feature_1m') }}
where
    high < greatest(open, low, close)
    or low > least(open, high, close)
    or vwap < low * (1 - 1e-12)
    or vwap > high * (1 + 1e-12)
