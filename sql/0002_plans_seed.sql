-- The five plans of a new instance. What an operator has changed since stays.
INSERT IGNORE INTO plans
  (code, name, position, links_per_month, qrcodes_per_month, requests_per_minute, max_upload_bytes,
   storage_bytes, has_contacts, has_mailings, has_organizer, has_payments)
VALUES
  ('free',         'Free',         1,    5,    5,   60,   5242880,    52428800, FALSE, FALSE, FALSE, FALSE),
  ('starter',      'Starter',      2,   10,   10,  120,  10485760,   262144000, FALSE, FALSE, FALSE, FALSE),
  ('basic',        'Basic',        3,  100,  100,  300,  26214400,  1073741824, TRUE,  FALSE, FALSE, FALSE),
  ('professional', 'Professional', 4, 1000, 1000, 1200, 104857600, 10737418240, TRUE,  TRUE,  TRUE,  TRUE),
  ('unlimited',    'Unlimited',    5, NULL, NULL, NULL, 104857600,        NULL, TRUE,  TRUE,  TRUE,  TRUE);
