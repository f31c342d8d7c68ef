# at least: 10 tests
# Affinity rules of a stand-in cluster: a sensor stays with its sources.
BeforeAll {
    . (Join-Path $PSScriptRoot 'support/World.ps1')
    $rule = 'vmirror hand: SENSOR1 with dc1'
    function Get-Rule { (Get-StandInWorld)['Rules'] }
}

Describe 'Affinity' {
    BeforeEach {
        $world = New-TestCluster 2
        $world['Rules'] = [ordered]@{ theirs = @{ RuleType = 4; Enabled = 1; Groups = @('dc1', 'dc2') } }
    }

    It 'makes a rule for each source, tells of it, and takes it away' {
        $got = Set-VMirrorAffinity -VMName dc1, dc2 -SensorVMName SENSOR1
        $got.State | Should -Be @('ready', 'ready')
        $got.Together | Should -Be @($true, $false)
        (Get-Rule)[$rule].Groups | Should -Be @('SENSOR1', 'dc1')
        (Get-Rule)[$rule].RuleType | Should -Be 2
        $got = Get-VMirrorAffinity
        $got.VM | Should -Be @('dc1', 'dc2')
        $got.Rule | Should -Be @($rule, 'vmirror hand: SENSOR1 with dc2')
        Remove-VMirrorAffinity -VMName dc1
        (Get-VMirrorAffinity).VM | Should -Be 'dc2'
        Remove-VMirrorAffinity -VMName * -SensorVMName SENSOR1
        @((Get-Rule).Keys) | Should -Be @('theirs')
        (Get-Rule)['theirs'].Groups | Should -Be @('dc1', 'dc2')
    }
    It 'changes nothing the second time' {
        $null = Set-VMirrorAffinity -VMName dc1 -SensorVMName SENSOR1 -Cluster hvc1
        $changes = Get-ChangeCount
        $changes | Should -Be 2
        (Set-VMirrorAffinity -VMName dc1 -SensorVMName SENSOR1 -Cluster hvc1).State | Should -Be 'ready'
        Get-ChangeCount | Should -Be $changes
    }
    It 'changes nothing with -WhatIf' {
        (Set-VMirrorAffinity -VMName dc1 -SensorVMName SENSOR1 -WhatIf).State | Should -Be 'planned'
        $null = Set-VMirrorAffinity -VMName dc2 -SensorVMName SENSOR1
        $changes = Get-ChangeCount
        Remove-VMirrorAffinity -VMName * -WhatIf
        Get-ChangeCount | Should -Be $changes
        @((Get-Rule).Keys) | Should -Not -Contain $rule
    }
    It 'sets right a rule that is <Case>' -ForEach @(
        @{ Case = 'disabled'; Is = @{ RuleType = 2; Enabled = 0; Groups = @('SENSOR1', 'dc1') } }
        @{ Case = 'of another type'; Is = @{ RuleType = 3; Enabled = 1; Groups = @('SENSOR1', 'dc1') } }
        @{ Case = 'without groups, as a run leaves it that is cut off'; Is = @{ RuleType = 2; Enabled = 1; Groups = @() } }
        @{ Case = 'with others in it'; Is = @{ RuleType = 2; Enabled = 1; Groups = @('SENSOR1', 'dc1', 'dc2') } }
    ) {
        (Get-Rule)[$rule] = $Is
        (Get-VMirrorAffinity).State | Should -Be 'failed'
        (Set-VMirrorAffinity -VMName dc1 -SensorVMName SENSOR1).State | Should -Be 'ready'
        @((Get-Rule)[$rule].Groups | Sort-Object) | Should -Be @('dc1', 'SENSOR1')
        (Get-Rule)[$rule].RuleType | Should -Be 2
        (Get-Rule)[$rule].Enabled | Should -Be 1
    }
    It 'refuses what is no role of the cluster, and does the others' {
        $got = [pscustomobject]@{ VMName = 'nobody' }, [pscustomobject]@{ Name = 'dc1' } |
            Set-VMirrorAffinity -SensorVMName SENSOR1 -ErrorVariable said -ErrorAction SilentlyContinue
        $got.State | Should -Be @('refused', 'ready')
        "$said" | Should -BeLike '*no VM nobody as a role (Add-ClusterVirtualMachineRole)*'
        $got = Set-VMirrorAffinity -VMName SENSOR1 -SensorVMName SENSOR1 -ErrorAction SilentlyContinue
        $got.Reason | Should -BeLike '*the sensor itself*'
    }
    It 'asks a node with an account, and says what is no cluster' {
        $account = New-Object 'System.Management.Automation.PSCredential' 'D\a', (New-Object 'System.Security.SecureString')
        (Set-VMirrorAffinity -VMName dc1 -SensorVMName SENSOR1 -ComputerName hv2 -Credential $account).Cluster | Should -Be 'hv2'
        { Get-VMirrorAffinity -Cluster other } | Should -Throw '*cluster service is not running*'
        { Get-VMirrorAffinity -Cluster hvc1 -ComputerName hv1 } | Should -Throw '*not both*'
    }
    It 'says what an older Windows lacks' {
        Mock -ModuleName VMirror Test-AffinityCommand { $false }
        { Set-VMirrorAffinity -VMName dc1 -SensorVMName SENSOR1 } | Should -Throw '*Windows Server 2022*Set-ClusterOwnerNode*'
    }
}
