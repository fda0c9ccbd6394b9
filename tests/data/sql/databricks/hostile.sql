WITH `drawn` AS 
(SELECT CAST(`logs`.`predictions`.`we"ird``\; -- drop` AS STRING) AS `c0`, CAST(try_element_at(from_json(try_element_at(from_json(to_json(`logs`.`predictions`.`inputs`), 'map<string,string>'), 'it\'s a'), 'map<string,string>'), '"key"\\') AS STRING) AS `c1`, CASE WHEN (CAST(try_element_at(from_json(try_element_at(from_json(CAST(`logs`.`predictions`.`document` AS STRING), 'map<string,string>'), 'it\'s a'), 'map<string,string>'), '"key"\\') AS STRING) = 'true') THEN 1.0000000000000000e+00D WHEN (CAST(try_element_at(from_json(try_element_at(from_json(CAST(`logs`.`predictions`.`document` AS STRING), 'map<string,string>'), 'it\'s a'), 'map<string,string>'), '"key"\\') AS STRING) = 'false') THEN 0.0000000000000000e+00D WHEN (CAST(try_element_at(from_json(try_element_at(from_json(CAST(`logs`.`predictions`.`document` AS STRING), 'map<string,string>'), 'it\'s a'), 'map<string,string>'), '"key"\\') AS STRING) RLIKE '[0-9.][dDfF] *$') THEN NULL ELSE TRY_CAST(CAST(try_element_at(from_json(try_element_at(from_json(CAST(`logs`.`predictions`.`document` AS STRING), 'map<string,string>'), 'it\'s a'), 'map<string,string>'), '"key"\\') AS STRING) AS DOUBLE) END AS `c2`, CAST(`logs`.`predictions`.`score` AS DOUBLE) AS `c3`, `logs`.`predictions`.`ts` AS `c4`, `logs`.`predictions`.`id` AS `k0` 
FROM `logs`.`predictions` 
WHERE `logs`.`predictions`.`ts` >= TIMESTAMP '2013-04-01 10:00:00+00:00' AND `logs`.`predictions`.`ts` < TIMESTAMP '2013-04-01 13:00:00+00:00')
 SELECT `drawn`.`c0`, `drawn`.`c1`, `drawn`.`c2`, `drawn`.`c3`, `drawn`.`c4`, `newest`.`label` 
FROM `drawn` LEFT OUTER JOIN (SELECT `ranked`.`k0` AS `k0`, `ranked`.`label` AS `label` 
FROM (SELECT `labels`.`id` AS `k0`, `labels`.`y` AS `label`, row_number() OVER (PARTITION BY `labels`.`id` ORDER BY `labels`.`known_at` DESC, `labels`.`y` IS NULL, CAST(`labels`.`y` AS STRING) DESC) AS `place` 
FROM `labels` JOIN (SELECT DISTINCT `drawn`.`k0` AS `k0` 
FROM `drawn`) AS `wanted` ON `labels`.`id` = `wanted`.`k0` 
WHERE `labels`.`known_at` >= TIMESTAMP '1980-01-01 00:00:00+00:00' AND `labels`.`known_at` < TIMESTAMP '2200-01-01 00:00:00+00:00') AS `ranked` 
WHERE `ranked`.`place` = 1) AS `newest` ON `drawn`.`k0` = `newest`.`k0`;

