-- loses: nothing; the policies go with their relations
drop procedure market.apply_policies();
