# Records for XMPP federation, for the DNS server that answers the internet.
# Run where the module DnsServer is; TLSA needs Windows Server 2016.
# NOT TRIED ON A SERVER: read it before you run it.

$ErrorActionPreference = 'Stop'
$ttl = [TimeSpan]::FromSeconds(3600)

# in the zone contoso.example
Add-DnsServerResourceRecord -Srv -ZoneName 'contoso.example' -Name '_xmpp-server._tcp' -DomainName 'edge1.contoso.example.' -Priority 10 -Weight 10 -Port 5269 -TimeToLive $ttl
Add-DnsServerResourceRecord -Srv -ZoneName 'contoso.example' -Name '_xmpp-server._tcp' -DomainName 'edge2.dmz.example.' -Priority 20 -Weight 5 -Port 5269 -TimeToLive $ttl

# in the zone fabrikam.example
Add-DnsServerResourceRecord -Srv -ZoneName 'fabrikam.example' -Name '_xmpp-server._tcp' -DomainName 'edge1.contoso.example.' -Priority 10 -Weight 10 -Port 5269 -TimeToLive $ttl
Add-DnsServerResourceRecord -Srv -ZoneName 'fabrikam.example' -Name '_xmpp-server._tcp' -DomainName 'edge2.dmz.example.' -Priority 20 -Weight 5 -Port 5269 -TimeToLive $ttl

# in the zone contoso.example
Add-DnsServerResourceRecord -A -ZoneName 'contoso.example' -Name 'edge1' -IPv4Address '192.0.2.10' -TimeToLive $ttl
Add-DnsServerResourceRecord -AAAA -ZoneName 'contoso.example' -Name 'edge1' -IPv6Address '2001:db8::10' -TimeToLive $ttl
Add-DnsServerResourceRecord -TLSA -ZoneName 'contoso.example' -Name '_5269._tcp.edge1' -CertificateUsage DomainIssuedCertificate -Selector SubjectPublicKeyInfo -MatchingType Sha256Hash -CertificateAssociationData '8b0ed710bc214b6c1b0d07e878c18bc73a544a2316161b1d2013f85ad1f6deeb' -TimeToLive $ttl

# in the zone dmz.example
Add-DnsServerResourceRecord -A -ZoneName 'dmz.example' -Name 'edge2' -IPv4Address '198.51.100.10' -TimeToLive $ttl
Add-DnsServerResourceRecord -TLSA -ZoneName 'dmz.example' -Name '_5269._tcp.edge2' -CertificateUsage DomainIssuedCertificate -Selector SubjectPublicKeyInfo -MatchingType Sha256Hash -CertificateAssociationData '8b0ed710bc214b6c1b0d07e878c18bc73a544a2316161b1d2013f85ad1f6deeb' -TimeToLive $ttl
